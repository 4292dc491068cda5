"""Anxiao 安校: the daily health report of a province's universities."""

__version__ = "0.1.0"
