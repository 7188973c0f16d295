"""What is written is read back the same: by polars, and to the last bit."""

import io
from pathlib import Path

import numpy as np
import polars
import pytest

from seqwise.data.tablewriting import ENDINGS, checked_ending, write_pieces
from seqwise.errors import ConfigError

READ = {".csv": polars.read_csv, ".jsonl": polars.read_ndjson, ".parquet": polars.read_parquet,
        ".tsv": lambda file: polars.read_csv(file, separator="\t")}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_pieces_make_one_table(ending):
    chance = np.random.default_rng(0)
    blocks = [chance.normal(size=(rows, 2)) * 10.0 ** chance.integers(-200, 200, (rows, 2)) for rows in (5, 1, 7)]
    blocks[1][0, 1] = np.nan
    texts = [polars.Series("t", [f'a,"{row}\t' for row in range(len(block))]) for block in blocks]
    file = io.BytesIO()
    pieces = ((block, {"t": text}) for block, text in zip(blocks, texts, strict=True))
    assert write_pieces(file, ending, ("x", "t", "y"), ("x", "y"), pieces) == 13
    file.seek(0)
    back = READ[ending](file)
    assert back.columns == ["x", "t", "y"]
    np.testing.assert_array_equal(back["x"].to_numpy(), np.concatenate(blocks)[:, 0])
    np.testing.assert_array_equal(back["y"].fill_null(np.nan).to_numpy(), np.concatenate(blocks)[:, 1])
    assert back["t"].to_list() == [text for one in texts for text in one]
    assert back["y"].null_count() == 1


def test_other_endings_are_refused():
    with pytest.raises(ConfigError, match=r"ends in \.csv"):
        checked_ending(Path("out.xlsx"))
    assert checked_ending(Path("A.CSV")) == ".csv"
