"""Where the scores that `seqwise weigh` compares come from: files of predictions, models, rivals, blends, trials.

measures      items -> a measure and the values that it is made of
slices        labels of items: their length, columns of the file
rows          a table, row by row, with the place of each
predictions   a file that another program wrote
models        a run or a checkpoint on the user's files
rivals        what costs nothing, on the same files
blends        weights between base and tuned, item by item
keeping       scores on disk
trial         one training of a table of trials
"""

__all__: list[str] = []
