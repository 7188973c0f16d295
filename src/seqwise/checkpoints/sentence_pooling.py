"""How a checkpoint of sentence vectors pools them: the folder 1_Pooling of sentence-transformers."""

import json
from pathlib import Path
from typing import Literal

from seqwise.errors import CheckpointError

PLACE = Path("1_Pooling") / "config.json"
MODULES = "modules.json"
KNOWN = ("Transformer", "Pooling", "Normalize")


def _only_pooled(path: Path) -> None:
    """Refuse a folder whose vectors go through more than pooling."""
    if not path.is_file():
        return
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as a list of modules ({error})",
            allowed="the modules of a sentence encoder",
            mend="downloading it again, or --pool mean",
            where=str(path),
        ) from None
    other = [kind for kind in kinds if kind not in KNOWN]
    if other:
        raise CheckpointError(
            given=f"sentence vectors that go through a module {other[0]}",
            allowed=", ".join(KNOWN),
            mend="--pool mean or --pool first, for the encoder's own vectors",
            where=str(path),
        )


def read(folder: Path) -> Literal["mean", "first"]:
    """The mean unless the folder says otherwise."""
    _only_pooled(folder / MODULES)
    path = folder / PLACE
    if not path.is_file():
        return "mean"
    try:
        told = json.loads(path.read_text("utf-8"))
        chosen = [name for name, on in told.items() if name.startswith("pooling_mode_") and on is True]
        mode = told.get("pooling_mode")
        chosen += [f"pooling_mode_{mode}"] if isinstance(mode, str) else []
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as JSON ({error})",
            allowed="how the vectors are pooled",
            mend="downloading it again, or --pool mean",
            where=str(path),
        ) from None
    known: dict[str, Literal["mean", "first"]] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_mean": "mean",
        "pooling_mode_cls_token": "first",
        "pooling_mode_cls": "first",
    }
    found = {known.get(name) for name in chosen} or {"mean"}
    (how, *more) = found
    if how is None or more:
        raise CheckpointError(
            given=f"pooling by {', '.join(chosen)}",
            allowed="the mean of the tokens or the first one's vector",
            mend="--pool mean or --pool first",
            where=str(path),
        )
    return how
