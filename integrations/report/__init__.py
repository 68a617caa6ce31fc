"""The closing report of a maintenance."""

from integrations.report.closing import Report, closing_report
from integrations.report.step import ClosingReport

__all__ = ["ClosingReport", "Report", "closing_report"]
