"""Amazon RDS for PostgreSQL: upgrade in place, or by a blue/green deployment. Importing it registers the steps."""

from integrations.rds import connect
from integrations.rds.blue_green import BlueGreen, Switchover
from integrations.rds.upgrade import Upgrade

__all__ = ["BlueGreen", "Switchover", "Upgrade", "connect"]
