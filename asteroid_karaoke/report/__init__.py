"""A report of scores: one HTML file that opens offline, with tables, charts, pictures and sound."""

from .page import Report, write_report

__all__ = ["Report", "write_report"]
