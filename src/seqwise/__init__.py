"""Seqwise trains sequence models, shows what happens inside them, and weighs whether it was worth it.

The verbs are functions of this package: `seqwise.train(...)`, `seqwise.predict(...)`. Each is imported when
it is first used, so that `import seqwise` loads no torch. The house, from the door down; a room imports only
what stands below it, and neighbours across a bar do not see each other:

    __main__                  python -m seqwise; what torchrun starts
    cli                       the command line: calls verbs and nothing else
    verbs                     a file a verb: wires rooms, does no maths
    reports                   results to pictures and pages
    verdict | inspection      was it worth it, and how sure that is | looks into a model, never touches
    tasks                     what each task reads, which model it has and how it is scored
    training                  fit() is a generator of events
    decoding | checkpoints    ids in, ids out | weights in and out
    models | data | metrics   tensors in, tensors out | files to batches | predictions to scores
    stats                     arrays to results: moments, normality, comparisons, regression, control, series
    config | device           settings from files and flags | where tensors live
    errors | letters | printable  what can go wrong, told | what a letter is | texts of others, which steer no terminal

Two verbs have namesakes: `seqwise.config` and `seqwise.stats` are rooms, the verbs `seqwise.verbs.config.config` and
the functions of `seqwise.verbs.stats`, for tables; for arrays the room itself is the way.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from seqwise.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    MissingExtraError,
    SeqwiseError,
    TrainingError,
)

if TYPE_CHECKING:
    from seqwise.verbs.blend import blend
    from seqwise.verbs.check import check
    from seqwise.verbs.demo import demo
    from seqwise.verbs.doctor import doctor
    from seqwise.verbs.evaluate import evaluate
    from seqwise.verbs.export import export
    from seqwise.verbs.forecast import forecast
    from seqwise.verbs.inspect import inspect
    from seqwise.verbs.plan import plan
    from seqwise.verbs.predict import predict
    from seqwise.verbs.runs import runs
    from seqwise.verbs.train import train
    from seqwise.verbs.tune import tune
    from seqwise.verbs.weigh import weigh

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "MissingExtraError",
    "SeqwiseError",
    "TrainingError",
    "__version__",
    "blend",
    "check",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "forecast",
    "inspect",
    "plan",
    "predict",
    "runs",
    "train",
    "tune",
    "weigh",
]

_VERBS = ("blend", "check", "demo", "doctor", "evaluate", "export", "forecast", "inspect", "plan", "predict", "runs",
          "train", "tune", "weigh")  # fmt: skip
_LATE = {verb: f"seqwise.verbs.{verb}" for verb in _VERBS}
"""Where the names stand that are imported when first used."""


def __getattr__(name: str) -> Any:
    """A verb, imported now; `__version__`, looked up now (PEP 562)."""
    if name == "__version__":
        return metadata.version("seqwise")
    if name not in _LATE:
        raise AttributeError(f"module 'seqwise' has no attribute {name!r}")
    wrapped = import_module("seqwise.config.calling").callable_with_texts
    value = wrapped(getattr(import_module(_LATE[name]), name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What can be asked for, imported or not."""
    return sorted({*globals(), *_LATE, "__version__"})
