"""Tuning a model that is there already: full, LoRA or QLoRA, on a checkpoint of the hub or a run of ours.

settings     all that `seqwise tune` can be told
bases        the model that is tuned, ready to be trained
jobs         what each task reads, learns and is scored by
running      put together for the trainer
outcome      base, rivals and result side by side
stored       a tuned run, opened again
"""

from seqwise.tasks.tuning.settings import Tune

__all__ = ["Tune"]
