"""Was it worth it? A or B, and how sure: the questions that everybody has after tuning, answered by statistics.

No training is known here: scores come in, answers come out. Import the module that answers the question:

    scored          one system's scores of a set; whether two may be compared
    findings        an answer: yes, no or cannot tell, with effect, interval, test, n and what n could have shown
    effects         two systems on the same items, with clusters and seeds: the test, chosen and explained
    draws           means drawn anew, fast
    gain            better at the task, and better than what costs nothing
    generalization  what was lost of what it could do before: a margin, flips, groups
    luck            seeds and items at once; the best of several tries
    slices          where it won and lost; which items, and what changed in their words: changed
    overfitting     training against validation along the journal, and what was learnt by heart
    curve           whether more data would help
    cost            time, memory, weights, energy and money
    trade           gain against loss: which systems no other beats in both
    trials          methods x fractions x seeds as a table on disk, run in a pool; on many machines: cluster
    verdict         all answers together; the sentence over them: sentence
"""
