"""blend: a model between an untouched one and what became of it, by weights in between."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from seqwise.errors import ConfigError
from seqwise.tasks.tuning import blending, trading


@dataclass(frozen=True)
class Blended:
    """What was written, and what each share gave."""

    out: str
    alpha: float
    rows: tuple[trading.Row, ...]
    """Scores at each share; empty where nothing was scored."""
    metric: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def __rich__(self) -> Group:
        told = Text(f"{self.out}: {self.alpha:g} of the tuned weights, {1 - self.alpha:g} of the base's")
        if not self.rows:
            return Group(told)
        names = list(dict.fromkeys(name for row in self.rows for name in (*row.valid, *row.general)))
        parts = [(part, name) for part in ("valid", "general") for name in names if name in getattr(self.rows[0], part)]
        table = Table("alpha", *(f"{part} {name}" for part, name in parts), box=None)
        for row in self.rows:
            mark = " <" if row.alpha == self.alpha else ""
            table.add_row(f"{row.alpha:g}{mark}", *(f"{getattr(row, part)[name]:.4g}" for part, name in parts))
        return Group(table, told)


def blend(
    base: str,
    tuned: str,
    /,
    *,
    alpha: tuple[float, ...] = (0.5,),
    out: Path,
    valid: tuple[str, ...] = (),
    general: tuple[str, ...] = (),
    overwrite: bool = False,
) -> Blended:
    """Interpolate between a model and its tuned version.

    Weights between both often keep most of what was gained and much of what was lost (WiSE-FT). With several shares the
    best on the validation examples is written; the general ones, of what the base could do before, are only scored
    beside it.

    Args:
        base: The untouched model: a checkpoint, or a run.
        tuned: What became of it: a run of seqwise tune, or another checkpoint of the same make.
        alpha: Shares of the tuned weights, from 0 to 1; several to choose from.
        out: The folder to write: in the hub's format, or a run where the models are runs.
        valid: Examples to choose by, in the format that the run was tuned on.
        general: Examples of what the base could do before, in the same format.
        overwrite: Replace an earlier model there.

    Example:
        seqwise blend models/opus-en-fr runs/medical --alpha 0.25 0.5 0.75 --valid dev.tsv --out models/blended
    """
    wrong = [one for one in alpha if not 0 <= one <= 1]
    if wrong or not alpha:
        given = f"--alpha {wrong[0]:g}" if wrong else "no --alpha"
        raise ConfigError(given, "shares from 0, the base, to 1, the tuned model", "--alpha 0.5")
    shares = sorted(set(alpha))
    if len(shares) > 1 and not valid:
        raise ConfigError(f"{len(shares)} shares and no --valid", "examples to choose by", "--valid dev.tsv")
    second = blending.open_for_blending(tuned)
    blending.must_be_free(out, second, overwrite, (base, tuned))
    first = blending.open_for_blending(base, second)
    pairs = blending.both(first, second)
    rows, metric = trading.scored(second, pairs, shares, valid, general) if valid or general else ((), "")
    chosen = trading.best(rows, metric) if len(shares) > 1 else shares[0]
    blending.put(second.model, blending.blended(pairs, chosen))
    blending.write(out, second, overwrite, [chosen])
    return Blended(str(out), chosen, rows, metric)
