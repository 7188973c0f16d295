"""Statistics on arrays: moments and standardization, the normal distribution, comparisons, regression, control, series.

numpy, scipy and statsmodels do the sums; this room chooses, checks and explains. Arrays in, frozen results out; no
file, no table and no tensor is known here.
"""
