"""Statistics on arrays: moments and standardization, the normal distribution, comparisons, regression, control, series.

numpy, scipy and statsmodels do the sums; this room chooses, checks and explains. Arrays in, frozen results out; no
file, no table and no tensor is known here. Import the module that answers the question:

    What all of them are made of
    results          a value with its interval, a test with its null hypothesis, a grid; what can be shown
    phrases          numbers, intervals and lists as they stand in a sentence
    telling          a comparison in one plain sentence
    samples          whether numbers can be used, and their shape at a glance
    factors          labels of groups
    assumptions      what methods take for granted of samples, residuals and neighbours, and whether it holds
    units            the unit in a column's name
    crossing         where a function meets a level, by halving
    power            how many items a test needs, and how small an effect so many show
    rows             numpy, torch, polars and Arrow as rows of numbers

    Columns of any length, in one pass
    moments          how many, where, how wide, how lopsided; its sums: blocks
    quantiles        a sketch of the order of more values than memory holds
    distinct         about how many different ones
    description      a table, column by column: `seqwise stats describe`
    standardize      z-scores, robust scores, the range 0 to 1, and back; its change of arrays: affine
    scores           scores of different exams on one scale

    One sample
    normal           the normal distribution, its fit, the 68-95-99.7 rule, points of a QQ plot
    normality        how far from normal, tests last: departure measures, verdict tells: `seqwise stats normal`
    limit            the central limit theorem on given values
    ranked           quantiles of a sample and their intervals, by order statistics alone
    tolerance        between which values so much of all lies
    medicine         reference intervals; their robust limits: biweight
    resample         the bootstrap; of which statistics: statistic

    Comparisons
    compare          chooses the test, runs it, tells the answer: `seqwise stats compare`; comparison shows it
    means            one sample, two groups, pairs: t tests
    ranks            the same by ranks, and of several groups
    selection        the k-th of all differences of two groups, without making them
    permutation      the same by dealing labels and signs anew
    margins          whether a loss is smaller than a margin
    proportions      shares: intervals, two groups, pairs
    tables           counts of two sets of categories, or against given shares
    anova            several groups; pairs of them: pairs; how much is explained: explained
    factorial        two factors at once
    repeated         the same subjects under several conditions
    multiplicity     many tests at once; studentized: the range of several means

    Regression
    regression       a number by columns: `seqwise stats regress`; its sums: leastsquares, its checks: diagnostics,
                     its products: products
    logistic         one of two classes by columns; its sums: likelihood, profile, marginal
    design           what both are made of; of two classes: classes
    discrimination   how well chances tell two classes apart

    In the order of time
    control          control charts: `seqwise stats control`; charts shows them, rules finds patterns
    capability       how well a process keeps within its limits
    within           the short-term sd of both
    series           all that can be asked of a series: `seqwise stats series`
    autocorrelation  how much a value says about later ones
    stationarity     whether a series keeps its level
    seasons          trend, season and the rest
    spectrum         which periods are strong
    forecasts        which of two forecasts is better
    calibration      whether forecast distributions promise what comes
    finance          what prices say about risk
"""
