"""The bot: state, journal, engine and channel of a maintenance."""
