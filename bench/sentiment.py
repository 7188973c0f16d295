"""Sentiment by tuning a sentence encoder: test accuracy on SST-2, ten folds of Financial PhraseBank, and the price.

    python bench/sentiment.py sst2 MODEL DATA METHOD [seed] [flags of tune ...]
    python bench/sentiment.py phrasebank MODEL TABLE METHOD FOLDS [flags of tune ...]
    python bench/sentiment.py plain MODEL TABLE FOLDS

DATA holds train.tsv, dev.tsv and test.tsv; TABLE has a header and a sentence, a tab and a label a line. FOLDS names the
folds to run, such as 0-9: the sentences, shuffled once, are cut into ten. Learning rate 1e-4 (1e-3 for LoRA), 32
sentences a step, three epochs, unless flags say otherwise. Runs are left in runs/bench-*. plain is a loop of
transformers with the same settings, which learns from all nine parts and keeps its last weights.
"""

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch

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


def folded(table: str, folds: str) -> Iterator[tuple[int, dict[str, list[str]]]]:
    """The lines of each fold and of all others."""
    lines = Path(table).read_text("utf-8").splitlines()[1:]
    random.Random(0).shuffle(lines)
    first, last = (int(one) for one in (folds.split("-") if "-" in folds else (folds, folds)))
    for fold in range(first, last + 1):
        yield fold, {"test": lines[fold::10], "train": [line for i, line in enumerate(lines) if i % 10 != fold]}


def plain(model: str, table: str, folds: str) -> None:
    """Transformers, its head, AdamW, a rate that falls to 0, batches in random order, padded to the longest."""
    from sklearn.metrics import accuracy_score, f1_score
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, get_linear_schedule_with_warmup

    words = AutoTokenizer.from_pretrained(model)
    for fold, parts in folded(table, folds):
        train, test = ([line.split("\t") for line in parts[name]] for name in ("train", "test"))
        labels = sorted({label for _, label in train})
        torch.manual_seed(1)
        net = AutoModelForSequenceClassification.from_pretrained(model, num_labels=len(labels)).train()
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
        falling = get_linear_schedule_with_warmup(optimizer, 0, 3 * -(-len(train) // 32))
        wall, used, chance = time.monotonic(), time.process_time(), random.Random(1)
        for _ in range(3):
            chance.shuffle(train)
            for rows in (train[i : i + 32] for i in range(0, len(train), 32)):
                read = words([text for text, _ in rows], padding=True, truncation=True, return_tensors="pt")
                with torch.autocast("cpu", torch.bfloat16):
                    loss = net(**read, labels=torch.tensor([labels.index(label) for _, label in rows])).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()
                falling.step()
                optimizer.zero_grad()
        seconds, processor = time.monotonic() - wall, time.process_time() - used
        found: list[str] = []
        with torch.inference_mode():
            for rows in (test[i : i + 64] for i in range(0, len(test), 64)):
                read = words([text for text, _ in rows], padding=True, truncation=True, return_tensors="pt")
                found += [labels[int(i)] for i in net.eval()(**read).logits.argmax(-1)]
        true = [label for _, label in test]
        scores = {"accuracy": 100 * accuracy_score(true, found), "f1": 100 * f1_score(true, found, average="macro")}
        tell(bench="sentiment", data="phrasebank", fold=fold, **scores, seconds=seconds, processor=processor)


def phrasebank(model: str, table: str, method: str, folds: str, *more: str) -> None:
    """Ten folds; of the nine that are left, a tenth is validated on."""
    place = Path("runs/bench-folds")
    place.mkdir(parents=True, exist_ok=True)
    for fold, parts in folded(table, folds):
        for name, rows in parts.items():
            (place / f"{name}-{fold}.tsv").write_text("sentence\tlabel\n" + "".join(f"{row}\n" for row in rows))
        named = ["--text", "sentence", "--label", "label"]
        files = ["--train", str(place / f"train-{fold}.tsv"), "--test", str(place / f"test-{fold}.tsv"), *named]
        found = run(f"phrasebank-{method}-{fold}", model, method, files, list(more))
        tell(bench="sentiment", data="phrasebank", method=method, fold=fold, **found)


if __name__ == "__main__":
    {"sst2": sst2, "phrasebank": phrasebank, "plain": plain}[sys.argv[1]](*sys.argv[2:])
