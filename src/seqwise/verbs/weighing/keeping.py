"""Scores on disk: values as an array, the rest as JSON, in one .npz. A table of trials names the file of each.

Nothing is pickled: the function of a measure of counts is found again by the name of the measure.
"""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from seqwise.checkpoints.files import replacing
from seqwise.errors import DataError
from seqwise.verbs.weighing.measures import score_of
from seqwise.verdict.scored import Measure, Scored

TEXTS = ("ids", "outputs", "references", "texts", "clusters")


def save(scored: Scored, path: Path) -> None:
    """Write the file whole, or not at all."""
    measure = scored.measure
    told = {
        "system": scored.system,
        "part": scored.part,
        "data": scored.data,
        "seed": scored.seed,
        "ahead": scored.ahead,
        "measure": {name: getattr(measure, name) for name in ("name", "kind", "unit", "lower", "signature")},
        "slices": {name: list(labels) for name, labels in scored.slices.items()},
        **{name: list(getattr(scored, name)) for name in TEXTS},
    }
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    np.savez_compressed(content, values=scored.values, told=text)
    with replacing(path, content.tell()) as file:
        file.write(content.getvalue())


def load(path: Path, system: str | None = None, seed: int | None = None) -> Scored:
    """The inverse. system, seed: what it is called now, where that is another name than then."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            values, told = kept["values"], json.loads(kept["told"].tobytes())
        measure = Measure(**told["measure"])
        if measure.kind == "counts":
            measure = replace(measure, score=score_of(measure.name))
        texts = {name: tuple(told[name]) for name in TEXTS}
        slices = {name: tuple(labels) for name, labels in told["slices"].items()}
        chosen = told["seed"] if seed is None else seed
        named = system or told["system"]
        return Scored(
            named, told["part"], measure, values=values, data=told["data"], seed=chosen, slices=slices,
            ahead=told.get("ahead", 0), **texts,
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"scores that cannot be read ({type(error).__name__}: {error})",
            "the file that a trial wrote",
            "deleting the row of the trial, or --overwrite",
            str(path),
        ) from None
