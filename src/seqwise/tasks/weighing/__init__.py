"""Models to be weighed against each other: opened alike, asked alike, and kept from what they have seen.

systems      a run or a checkpoint, ready to be asked as another one was tuned
forecasters  runs that forecast, from the same origins of a table
probe        what a representation still knows: cross-validated logistic regression on it
prompt       a decoder that names labels without having been tuned
overlap      which texts a run has learnt from
nested       a part of the training files, each in the next larger one
"""

__all__: list[str] = []
