"""Flags of `evaluate` that mean nothing for a model, by what it does, and the models that have them."""

from collections.abc import Mapping, Sequence
from typing import Any

from seqwise.errors import ConfigError
from seqwise.metrics.text import AUTO

SEARCHED = ("beams", "max_length", "length_penalty", "mbr")
JUDGED = ("rouge", *SEARCHED, "tokenize", "lowercase")
IDLE: Mapping[str, tuple[str, ...]] = {
    "classify": (*JUDGED, "source", "target"),
    "translate": ("text", "label", "details"),
    "summarize": ("tokenize", "lowercase", "text", "label", "details"),
    "generate": (*JUDGED, "format", "text", "label", "details"),
}
"""What means nothing for a tuned run, by its task: how texts are written and compared, and what is read otherwise."""
FIXED = ("revision", "ensemble", "source_language", "target_language", "cut")
"""What a tuned run has as it was tuned."""
ALONE = ("ensemble", "source_language", "target_language")
"""What means nothing for a model that does not translate, beside that of its task."""
LABELLED, FORESEEN = IDLE["classify"], (*IDLE["generate"], "source", "target", "cut")
"""What means nothing where labels are told, and where lines of text are foreseen."""
TEXTUAL = ("format", "encoding", "source", "target", "on_bad_row", "text", "label", "revision", "cut", "scores",
           "details")  # fmt: skip
"""What means nothing for a forecaster, beside how texts are written."""
MEANT = {
    "revision": "a checkpoint of the hub",
    "cut": "a checkpoint of the hub that names labels or writes",
    "format": "a model that reads tables: one that names labels or translates",
    "source_language": "an encoder-decoder of the hub",
    "target_language": "an encoder-decoder of the hub",
    **dict.fromkeys(("text", "label", "details"), "a model that names labels"),
}
"""Who a flag is for, where that is no model that translates."""


def refuse(model: str, flags: Mapping[str, Any], names: Sequence[str], allowed: str = "") -> None:
    """Flags that mean nothing for this model. allowed: in place of the kind of model that has them."""
    for name in names:
        if flags[name] is not False and flags[name] not in (None, (), AUTO):
            kind = allowed or MEANT.get(name, "a model that translates")
            raise ConfigError(f"--{name.replace('_', '-')} for {model}", kind, "leaving it out")
