"""Forecasting: from a table with a time column to distributions of what comes next, and how far they can be trusted."""

from seqwise.tasks.forecasting.settings import Forecast

__all__ = ["Forecast"]
