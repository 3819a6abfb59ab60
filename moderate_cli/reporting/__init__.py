"""Reports: a page, and plots, that show which images are kept and why."""

from moderate_cli.reporting.feature_map import map_of
from moderate_cli.reporting.subject import Subject
from moderate_cli.reporting.writing import write_plots, write_report

__all__ = ["Subject", "map_of", "write_plots", "write_report"]
