"""Seqwise trains sequence models, shows what happens inside them, and weighs whether it was worth it.

The verbs are functions of this package: `seqwise.train(...)`, `seqwise.predict(...)`. They are imported when first
used, so that `import seqwise` loads no torch. The house, from the door down; each room imports only what
stands below it:

    __main__                  python -m seqwise; what torchrun starts
    cli                       the command line
    verbs                     a file a verb: wires rooms, does no maths
    inspection                looks into a model, never touches
    tasks                     what each task reads, which model and which scores
    training                  fit() is a generator of events
    decoding | checkpoints    ids in, ids out | weights in and out
    models | data | metrics   tensors in, tensors out | files to batches | predictions to scores
    config | device           settings from files and flags | where tensors live
    errors                    what can go wrong, and how it is told

`config` and `inspect` have namesakes: `seqwise.config` is the room; that verb is `seqwise.verbs.config.config`.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqwise.errors import CheckpointError as CheckpointError
    from seqwise.errors import ConfigError as ConfigError
    from seqwise.errors import DataError as DataError
    from seqwise.errors import MissingExtra as MissingExtra
    from seqwise.errors import SeqwiseError as SeqwiseError
    from seqwise.errors import TrainingError as TrainingError
    from seqwise.verbs.doctor import doctor as doctor

_PLACES = {
    **dict.fromkeys(("demo", "doctor", "evaluate", "inspect", "predict", "train"), "seqwise.verbs"),
    **dict.fromkeys(
        ("CheckpointError", "ConfigError", "DataError", "MissingExtra", "SeqwiseError", "TrainingError"),
        "seqwise.errors",
    ),
}
__all__ = [*sorted(_PLACES), "__version__"]  # noqa: PLE0604
