"""Those on call: how they are paged when nobody answers, by PagerDuty or Grafana OnCall, and when somebody is.

Importing it registers the step and the schedules of Grafana OnCall; those of PagerDuty are in `integrations.pagerduty`.
"""

from integrations.oncall.page import Page, look
from integrations.oncall.schedules import shifts

__all__ = ["Page", "look", "shifts"]
