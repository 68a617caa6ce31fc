"""Writes the parts of the documentation that follow from the code: `.venv/bin/python -m docs.generate`."""
