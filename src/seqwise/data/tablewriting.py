"""Tables as files, piece by piece: CSV, TSV, JSONL and Parquet by the ending; what is written need not fit in memory.

Numbers are written with as many digits as it takes to read the same number back; what is missing is an empty cell, in
JSONL null. Where the file goes is the caller's: a path is opened and put in its place by `checkpoints.files`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Num

from seqwise.errors import ConfigError

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
Piece = tuple[Num[np.ndarray, "N C"], Mapping[str, Any]]
"""Columns of numbers, and others by name as polars series."""


def checked_ending(path: Path) -> str:
    """The format, told by the ending."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(f"{path} to write", f"a name that ends in {', '.join(ENDINGS)}", f"{path.stem}.csv")
    return ending


def write_pieces(
    file: BinaryIO, ending: str, columns: Sequence[str], numbers: Sequence[str], pieces: Iterator[Piece]
) -> int:
    """All pieces under one head, columns in this order; how many rows there were."""
    counted = [0]
    frames = _frames(columns, numbers, pieces, counted)
    if ending == ".parquet":
        _parquet(file, frames)
        return counted[0]
    for number, frame in enumerate(frames):
        if ending == ".jsonl":
            frame.write_ndjson(file)
        else:
            frame.write_csv(file, include_header=number == 0, separator="\t" if ending == ".tsv" else ",")
    return counted[0]


def _frames(
    columns: Sequence[str], numbers: Sequence[str], pieces: Iterator[Piece], counted: list[int]
) -> Iterator[Any]:
    import polars

    for block, others in pieces:
        values = {name: polars.Series(name, block[:, at], nan_to_null=True) for at, name in enumerate(numbers)}
        counted[0] += len(block)
        yield polars.DataFrame([values[name] if name in values else others[name].alias(name) for name in columns])


def _parquet(file: BinaryIO, frames: Iterator[Any]) -> None:
    """Row group by row group; polars asks for them."""
    from polars.io.plugins import register_io_source

    first = next(frames)

    def source(chosen: Sequence[str] | None, *_: Any) -> Iterator[Any]:
        frame = first
        while frame is not None:
            yield frame if chosen is None else frame.select(chosen)
            frame = next(frames, None)

    register_io_source(io_source=source, schema=first.schema).sink_parquet(file)
