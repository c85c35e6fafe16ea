"""A spine report for one subject: what was measured, what a person should look at, one page."""

from spinetools.report.measure import SpineReport, measure_spine
from spinetools.report.page import write_page

__all__ = ["SpineReport", "measure_spine", "write_page"]
