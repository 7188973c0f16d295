"""Where the scores that `seqwise weigh` compares come from: files of predictions, models, rivals, blends, trials.

measures      items -> a measure and the values that it is made of
slices        labels of items: their length, columns of the file
rows          a table, row by row, with the place of each
predictions   a file that another program wrote
models        a run or a checkpoint on the user's files; held: which are in memory
forecasts     runs that forecast, on tables, with the forecasts that cost nothing
rivals        what costs nothing, on the same files
blends        weights between base and tuned, item by item
keeping       scores on disk
trial         one training of a table of trials; trying: the whole table; signature: what its trials have in common

and what is made of them:

request       the words and flags, and contradictions in them
margins       what loss would matter, set by set
contenders    who is weighed: base and tuned systems, by set and seed
asking        the questions that scores alone answer
journals      overfitting, what was learnt by heart, costs: from the folders of runs
sizes         would more data help
trading       is there a better trade
whole         all of it, and the verdict
"""

__all__: list[str] = []
