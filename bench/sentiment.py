"""Sentiment by tuning a sentence encoder: test accuracy on SST-2, ten folds of Financial PhraseBank, and the price.

    python bench/sentiment.py sst2 MODEL DATA METHOD [seed] [flags of tune ...]
    python bench/sentiment.py phrasebank MODEL TABLE METHOD FOLDS [flags of tune ...]

DATA holds train.tsv, dev.tsv and test.tsv; TABLE has a header and a sentence, a tab and a label a line. FOLDS names the
folds to run, such as 0-9: the sentences, shuffled once, are cut into ten. Learning rate 1e-4 (1e-3 for LoRA), 32
sentences a step, three epochs, unless flags say otherwise. Runs are left in runs/bench-*.
"""

import random
import sys
import time
from pathlib import Path

from _work import tell
from seqwise.config import resolve
from seqwise.tasks.tuning import Tune
from seqwise.verbs.tune import tune

RATES = {"full": "1e-4", "lora": "1e-3", "qlora": "1e-3"}


def run(name: str, model: str, method: str, files: list[str], more: list[str]) -> dict[str, object]:
    """One run of `seqwise tune`; its scores and what it took."""
    usual = ["--epochs", "3", "--examples.batch", "32", "--optimizer.rate", RATES[method]]
    flags = ["--base", model, "--task", "classify", "--method", method, "--out", f"runs/bench-{name}", "--overwrite"]
    wall, used = time.monotonic(), time.process_time()
    found = tune(resolve(Tune, None, [*flags, *usual, *files, *more]))
    told = found.to_dict()["outcome"]
    scores = {one["name"]: one["scores"] for one in told["systems"]}
    better = {one["systems"][0]: one["better"] for one in told["differences"]}
    return {
        "scores": scores,
        "better": better,
        "seconds": time.monotonic() - wall,
        "processor": time.process_time() - used,
    }


def sst2(model: str, data: str, method: str, seed: str = "1", *more: str) -> None:
    """Train, dev and test as they are."""
    files = ["--train", f"{data}/train.tsv", "--valid", f"{data}/dev.tsv", "--test", f"{data}/test.tsv"]
    found = run(f"sst2-{method}-{seed}", model, method, files, ["--training.seed", seed, *more])
    tell(bench="sentiment", data="sst2", method=method, seed=seed, **found)


def phrasebank(model: str, table: str, method: str, folds: str, *more: str) -> None:
    """Ten folds; of the nine that are left, a tenth is validated on."""
    lines = Path(table).read_text("utf-8").splitlines()[1:]
    random.Random(0).shuffle(lines)
    first, last = (int(one) for one in (folds.split("-") if "-" in folds else (folds, folds)))
    for fold in range(first, last + 1):
        place = Path("runs/bench-folds")
        place.mkdir(parents=True, exist_ok=True)
        parts = {"test": lines[fold::10], "train": [line for i, line in enumerate(lines) if i % 10 != fold]}
        for name, rows in parts.items():
            (place / f"{name}-{fold}.tsv").write_text("sentence\tlabel\n" + "".join(f"{row}\n" for row in rows))
        named = ["--text", "sentence", "--label", "label"]
        files = ["--train", str(place / f"train-{fold}.tsv"), "--test", str(place / f"test-{fold}.tsv"), *named]
        found = run(f"phrasebank-{method}-{fold}", model, method, files, list(more))
        tell(bench="sentiment", data="phrasebank", method=method, fold=fold, **found)


if __name__ == "__main__":
    {"sst2": sst2, "phrasebank": phrasebank}[sys.argv[1]](*sys.argv[2:])
