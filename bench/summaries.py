"""Summaries from little data: headlines of AG News and TLDRs of science, beside the first sentence of each text.

    python bench/summaries.py prepare AGNEWS SCITLDR OUT
    python bench/summaries.py train OUT NAME PART [flags of train ...]         an encoder-decoder, runs/bench-NAME
    python bench/summaries.py write OUT NAME [flags of train ...]              a decoder of all training texts
    python bench/summaries.py tune OUT NAME PART BASE [flags of tune ...]      BASE is the NAME of another run
    python bench/summaries.py judge OUT NAME PART [flags of evaluate ...]      once more, written otherwise

PART is news (description -> headline), science (abstract -> one sentence, several of which may be right at validation
and test), or copies: each sentence of the training texts as what is to be written of itself, or of itself and the next
one, from which a model may learn to copy before it learns to summarize. AGNEWS is test.csv.gz, of which 600 rows, drawn
by a fixed seed, are the test and 400 the validation part; SCITLDR is the folder of SciTLDR-A. Each run tells ROUGE with
95 % intervals, those of the first sentence, and the paired differences.
"""

import csv
import gzip
import html
import json
import random
import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from _work import tell
from seqwise.config import resolve
from seqwise.metrics.comparison import compare_texts
from seqwise.metrics.rouge import rouge
from seqwise.tasks.sentences import lead, sentences
from seqwise.tasks.settings import Train
from seqwise.tasks.tuning import Tune
from seqwise.verbs.evaluate import evaluate
from seqwise.verbs.train import train
from seqwise.verbs.tune import tune

TEST, VALID = 600, 400  # rows of AG News
Pair = tuple[str, list[str]]


def tidy(text: str) -> str:
    """AG News without its breaks of lines and tags, and with the characters that lost their ampersand to a space."""
    text = re.sub(r"[ &](#\d+|quot|amp|lt|gt);", r"&\1;", text.replace("\\", " "))
    return " ".join(re.sub(r"<[^<>]*>", " ", html.unescape(html.unescape(text))).split())


def prepare(news: str, science: str, out: str) -> None:
    """Write the files, and tell how good the first sentences are."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(news, "rt", encoding="utf-8", newline="") as file:
        rows: list[Pair] = [(tidy(text), [tidy(title)]) for _, title, text in csv.reader(file)]
    random.Random(0).shuffle(rows)
    parts = {"test": rows[:TEST], "valid": rows[TEST : TEST + VALID], "train": rows[TEST + VALID :]}
    texts = []
    for name, pairs in parts.items():
        write(folder / f"news.{name}.jsonl", pairs)
    for name, stored in (("train", "train"), ("valid", "dev"), ("test", "test")):
        with gzip.open(f"{science}/{stored}.jsonl.gz", "rt", encoding="utf-8") as file:
            found = [json.loads(line) for line in file]
        abstracts = [(tidy(" ".join(one["source"])), list(map(tidy, one["target"]))) for one in found]
        write(folder / f"science.{name}.jsonl", abstracts)
        parts[f"science {name}"] = abstracts
    for name, chosen in (("train", ("train", "science train")), ("valid", ("valid", "science valid"))):
        texts = [text for part in chosen for text, _ in parts[part]]
        write(folder / f"copies.{name}.jsonl", copies(texts)[: None if name == "train" else VALID])
        (folder / f"texts.{name}.txt").write_text("".join(f"{text}\n" for text in texts), "utf-8")
    for part, pairs in (("news", parts["test"]), ("science", parts["science test"])):
        right = [several for _, several in pairs]
        for count in (1, 2):
            told = {one.name: facts(one) for one in rouge([lead(text, count) for text, _ in pairs], right)}
            tell(bench="summaries", part=part, system=f"lead {count}", items=len(pairs), **told)


def copies(texts: Iterable[str]) -> list[Pair]:
    """Each sentence as what is to be written of itself, or of itself and the next one."""
    found: list[Pair] = []
    for text in texts:
        rows = sentences(text)
        found += [(" ".join(rows[i : i + 1 + i % 2]), [row]) for i, row in enumerate(rows)]
    random.Random(0).shuffle(found)
    return found


def write(path: Path, pairs: Iterable[Pair]) -> None:
    """A line of JSON each."""
    lines = (json.dumps({"source": text, "target": several}, ensure_ascii=False) for text, several in pairs)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def facts(score: object) -> list[float]:
    """Value and interval."""
    return [round(float(one), 2) for one in (score.value, *score.interval)]  # type: ignore[attr-defined]


def files(out: str, part: str) -> list[str]:
    """Of training and validation."""
    return ["--train", f"{out}/{part}.train.jsonl", "--valid", f"{out}/{part}.valid.jsonl"]


def judged(out: str, name: str, part: str, flags: Mapping[str, object] | None = None) -> dict[str, object]:
    """ROUGE of a run on the test part, beside the first sentences."""
    file = f"{out}/{part}.test.jsonl"
    clock = time.process_time()
    found = evaluate(f"runs/bench-{name}", test=(file,), **(flags or {}))  # type: ignore[arg-type]
    used = time.process_time() - clock
    with open(f"runs/bench-{name}/test-scores.tsv", encoding="utf-8", newline="") as table:
        made = [row["output"] for row in csv.DictReader(table, dialect="excel-tab")]
    rows = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    right = [row["target"] for row in rows]
    first = [lead(row["source"]) for row in rows]
    told: dict[str, object] = {one.name: facts(one) for one in found.scores}  # type: ignore[union-attr]
    told |= {f"lead {one.name}": facts(one) for one in rouge(first, right)}
    for kind in ("rouge1", "rouge2", "rougeL"):
        change = compare_texts(first, made, right, kind, ("lead", name))  # type: ignore[arg-type]
        told[f"{kind} - lead"] = [*facts(change), change.better]
    words = sum(len(text.split()) for text in made) / len(made)
    return {**told, "words": words, "writing": used}


def once(part: str, name: str, flags: list[str], began: tuple[float, float], out: str) -> None:
    """One line for a run."""
    wall, used = time.monotonic() - began[0], time.process_time() - began[1]
    scores = {} if part in ("copies", "texts") else judged(out, name, part)
    tell(bench="summaries", part=part, run=name, flags=" ".join(flags), seconds=wall, processor=used, **scores)


def clocks() -> tuple[float, float]:
    """Wall and processor."""
    return time.monotonic(), time.process_time()


def trained(out: str, name: str, part: str, *more: str) -> None:
    """An encoder-decoder from scratch."""
    began = clocks()
    flags = ["--task", "summarize", *files(out, part), "--out", f"runs/bench-{name}", "--overwrite", *more]
    train(resolve(Train, None, flags))
    once(part, name, list(more), began, out)


def written(out: str, name: str, *more: str) -> None:
    """A decoder from scratch, on all that is read."""
    began = clocks()
    given = ["--train", f"{out}/texts.train.txt", "--valid", f"{out}/texts.valid.txt"]
    flags = ["--task", "generate", *given, "--out", f"runs/bench-{name}", "--overwrite", *more]
    train(resolve(Train, None, flags))
    once("texts", name, list(more), began, out)


def tuned(out: str, name: str, part: str, base: str, *more: str) -> None:
    """A run that goes on with other pairs."""
    began = clocks()
    given = [*files(out, part), "--test", f"{out}/{part}.test.jsonl", "--out", f"runs/bench-{name}", "--overwrite"]
    found = tune(resolve(Tune, None, ["--base", f"runs/bench-{base}", "--task", "summarize", *given, *more]))
    print(found.to_dict()["outcome"]["told"], file=sys.stderr)  # type: ignore[union-attr]
    once(part, name, [base, *more], began, out)


def again(out: str, name: str, part: str, *more: str) -> None:
    """The same run, other beams or another length penalty: pairs of a flag and its value."""
    names = [flag.removeprefix("--").replace("-", "_") for flag in more[::2]]
    flags = {key: json.loads(value) for key, value in zip(names, more[1::2], strict=True)}
    tell(bench="summaries", part=part, run=name, **flags, **judged(out, name, part, flags))


if __name__ == "__main__":
    verbs = {"prepare": prepare, "train": trained, "write": written, "tune": tuned, "judge": again}
    verbs[sys.argv[1]](*sys.argv[2:])
