"""Local stand-ins that speak the real protocols, for the demo and the tests.

Nothing here imports the bot: these systems do not know it, so they cannot be made to agree with it by accident.
"""
