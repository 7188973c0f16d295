"""Was it worth it? A or B, and how sure: the questions that everybody has after tuning, answered by statistics.

No training is known here: scores come in, answers come out. Import the module that answers the question:

    scored          one system's scores of a set; whether two may be compared; several seeds side by side: aligned
    findings        an answer: yes, no or cannot tell, with effect, interval, test, n and what n could have shown
    effects         two systems on the same items: the test, chosen and explained; its sums: clusters, seeds, draws;
                    of forecasts from successive origins: origins; differences without a spread: constant
    words           a difference in words; how many more items would tell: shortage
    gain            better at the task, and better than what costs nothing
    generalization  what was lost of what it could do before: a margin, flips; by group: groups
    luck            seeds and items at once; the best of several tries
    changed         which items were won and lost, and what changed in their words; by slice: slices
    overfitting     training against validation along the journal; its tests: turning, rise
    memorisation    what was learnt by heart
    curve           whether more data would help; its sums: powerlaw; labels and duplicates that explain it: plateau
    cost            time, memory, weights, energy and money
    trade           gain against loss: which systems no other beats in both
    trials          methods x fractions x seeds; on disk: ledger; run here: pool, or on many machines: cluster; how far:
                    progress
    verdict         all answers together; the sentence over them: sentence; how it was computed: methods
"""
