"""What can be drawn; each returns a `Picture` with a sentence as its title.

bell, bell_of, qq, pit         one column                         distributions
groups, forest                 several groups or estimates        comparisons
residuals, curve               a fit                              fits
control_chart, series, fan     along time                         times
"""

from seqwise.reports.comparisons import forest, groups
from seqwise.reports.distributions import bell, bell_of, pit, qq
from seqwise.reports.drawing import Picture
from seqwise.reports.fits import curve, residuals
from seqwise.reports.times import control_chart, fan, series

__all__ = [
    "Picture",
    "bell",
    "bell_of",
    "control_chart",
    "curve",
    "fan",
    "forest",
    "groups",
    "pit",
    "qq",
    "residuals",
    "series",
]
