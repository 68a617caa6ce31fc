"""PostgreSQL: from the preflight to the gate. Importing it registers the steps."""

from integrations.postgres.analyze import Analyze
from integrations.postgres.baseline import Baseline, Look
from integrations.postgres.clone import Clone, RemoveClone
from integrations.postgres.cross import Cross
from integrations.postgres.delete_old import DeleteOld
from integrations.postgres.gate import Gate
from integrations.postgres.preflight import Preflight
from integrations.postgres.read_back import Note, ReadBack
from integrations.postgres.replicas import Replicas
from integrations.postgres.upgrade import Upgrade
from integrations.postgres.vacuum import Vacuum

__all__ = [
    "Analyze",
    "Baseline",
    "Clone",
    "Cross",
    "DeleteOld",
    "Gate",
    "Look",
    "Note",
    "Preflight",
    "ReadBack",
    "RemoveClone",
    "Replicas",
    "Upgrade",
    "Vacuum",
]
