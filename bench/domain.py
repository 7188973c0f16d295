"""Gain against loss: a translator of general sentences adapted to medicine. Our standing example of a trade.

    python bench/domain.py prepare TATOEBA TICO OUT     general.{train,valid,test}.tsv, medical.{train,dev,test}.tsv
    python bench/domain.py base OUT [flags of train]    a Transformer on the general sentences, runs/bench-general
    python bench/domain.py tune OUT NAME [flags of tune ...]
    python bench/domain.py blend OUT NAME ALPHA ...

TATOEBA is fra.tsv.gz (English, tab, French), split by English sentence; TICO is tico19.en-fr.tsv.gz with its split by
document. `tune` tells BLEU on both test sets before and after, with the paired intervals.
"""

import gzip
import random
import sys
import time
from pathlib import Path

from _work import tell
from seqwise.config import resolve
from seqwise.metrics.comparison import compare_texts
from seqwise.metrics.text import bleu
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import open_translator
from seqwise.tasks.tuning import Tune
from seqwise.tasks.tuning.stored import is_tuned, open_tuned
from seqwise.verbs.blend import blend
from seqwise.verbs.train import train
from seqwise.verbs.tune import tune

BASE = "runs/bench-general"
HELD = 1000  # English sentences of the general test, and of its validation


def prepare(tatoeba: str, tico: str, out: str) -> None:
    """Write the files."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(tatoeba, "rt", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t")[:2] for line in file]
    english = sorted({pair[0] for pair in pairs})
    random.Random(0).shuffle(english)
    part = dict.fromkeys(english[:HELD], "test") | dict.fromkeys(english[HELD : 2 * HELD], "valid")
    general: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for source, target in pairs:
        general[part.get(source, "train")].append(f"{source}\t{target}\n")
    for name, rows in general.items():
        (folder / f"general.{name}.tsv").write_text("".join(rows), "utf-8")
    medical: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    with gzip.open(tico, "rt", encoding="utf-8") as file:
        names = next(file).rstrip("\n").split("\t")
        for line in file:
            row = dict(zip(names, line.rstrip("\n").split("\t"), strict=False))
            medical[row["split"]].append(f"{row['en']}\t{row['fr']}\n")
    for name, rows in medical.items():
        (folder / f"medical.{name}.tsv").write_text("".join(rows), "utf-8")


def base(out: str, *more: str) -> None:
    """The general translator."""
    flags = ["--train", f"{out}/general.train.tsv", "--valid", f"{out}/general.valid.tsv", "--out", BASE, "--overwrite"]
    clock, used = time.monotonic(), time.process_time()
    train(resolve(Train, None, [*flags, *more]))
    tell(bench="domain", run="base", seconds=time.monotonic() - clock, processor=time.process_time() - used)
    both(out, "base", BASE)


def outputs(run: str, file: str) -> tuple[list[str], list[str]]:
    """What a run makes of the sources of a file, greedily, and the references."""
    rows = [line.split("\t") for line in Path(file).read_text("utf-8").splitlines()]
    found = open_tuned(run, "cpu") if is_tuned(run) else open_translator([run], "cpu", "auto")
    if isinstance(found, Opened):
        raise TypeError("a run of ours")
    translator, settings = found
    told = translator.translate([row[0] for row in rows], settings.generation)
    return [best[0].text for best in told], [row[1] for row in rows]


def both(out: str, name: str, run: str) -> None:
    """BLEU on both test sets, and the difference to the base."""
    for part in ("general", "medical"):
        made, right = outputs(run, f"{out}/{part}.test.tsv")
        score = bleu(made, right)
        facts = {"bleu": score.value, "interval": score.interval}
        kept = Path(out) / f"base.{part}.out"
        if name == "base":
            kept.write_text("".join(f"{line}\n" for line in made), "utf-8")
        else:
            before = kept.read_text("utf-8").split("\n")[: len(made)]
            change = compare_texts(before, made, right)
            facts |= {"change": change.value, "change_interval": change.interval, "better": change.better}
        tell(bench="domain", run=name, part=part, **facts)


def tuned(out: str, name: str, *more: str) -> None:
    """Adapt it and tell what was gained and lost."""
    files = ["--train", f"{out}/medical.train.tsv", "--valid", f"{out}/medical.dev.tsv"]
    flags = ["--base", BASE, "--task", "translate", "--out", f"runs/bench-{name}", "--overwrite"]
    clock, used = time.monotonic(), time.process_time()
    tune(resolve(Tune, None, [*flags, *files, "--test", f"{out}/medical.test.tsv", *more]))
    tell(bench="domain", run=name, seconds=time.monotonic() - clock, processor=time.process_time() - used)
    both(out, name, f"runs/bench-{name}")


def blended(out: str, name: str, *alphas: str) -> None:
    """Between the base and what became of it."""
    place = Path(f"runs/bench-{name}-blend")
    made = blend(
        BASE,
        f"runs/bench-{name}",
        alpha=tuple(map(float, alphas)),
        out=place,
        valid=(f"{out}/medical.dev.tsv",),
        overwrite=True,
    )
    tell(bench="domain", run=f"{name}-blend", alpha=made.alpha, rows=[vars(row) for row in made.rows])
    both(out, f"{name}-blend", str(place))


if __name__ == "__main__":
    {"prepare": prepare, "base": base, "tune": tuned, "blend": blended}[sys.argv[1]](*sys.argv[2:])
