"""What `maint check` finds out about Amazon RDS before the night does: whether it lets us look, and at what."""

from bot.connections import ValueOf, connection
from integrations.rds.client import SETTINGS, Rds

_SHOWN = 5


@connection("Amazon RDS", *SETTINGS)
def look(value_of: ValueOf) -> str:
    """Return one line on the instances of the region. Raises `StepError`."""
    names = [f"{each['DBInstanceIdentifier']} ({each['EngineVersion']})" for each in Rds.by(value_of).instances()]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"we may look; its instances: {', '.join(names[:_SHOWN]) or 'none'}{more}"
