"""Atlassian Statuspage: the maintenance on the status page, driven by its real state and never by the clock."""

from integrations.statuspage.connect import look
from integrations.statuspage.progress import Begin, Complete, Note, Verify
from integrations.statuspage.schedule import Schedule

__all__ = ["Begin", "Complete", "Note", "Schedule", "Verify", "look"]
