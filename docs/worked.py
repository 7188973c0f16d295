"""Make the worked reports of `seqwise weigh` anew: docs/worked/*.md and *.html, from data that is not shipped.

    python docs/worked.py finance DATA MODEL WORK    a sentence encoder learns finance sentiment: full, LoRA, QLoRA
    python docs/worked.py medicine DATA WORK         a translator learns medicine: what LoRA, replay and blending keep
    python docs/worked.py few DATA WORK              the same from too little, for too long
    python docs/worked.py luck DATA MODEL WORK       two models that only luck parts

DATA holds parallel/ and sentiment/, with the files that the functions below name; MODEL is all-MiniLM-L6-v2 in the
hub's format, WORK a folder for files, runs and trials, which is gone on with where it has content. `finance` takes
half an hour on a core, `medicine` as long, and the translator that they begin with twenty minutes.
"""

import contextlib
import gzip
import io
import os
import random
import shutil
import sys
from pathlib import Path

from seqwise.cli import main

OUT = Path(__file__).resolve().parent / "worked"
GENERAL = [
    "--tokens.size", "8000", "--model.width", "256", "--model.layers", "3", "--model.heads", "4",
    "--feed-forward.width", "512", "--epochs", "3", "--batch-tokens", "4096", "--optimizer.rate", "0.002",
    "--optimizer.warmup", "300", "--optimizer.schedule", "cosine", "--evaluation.average", "0",
    "--evaluation.sentences", "200", "--evaluation.every", "400",
]  # fmt: skip
"""Of the general translator: six million weights, three epochs."""


def call(*words: str | Path) -> None:
    """One command, which must end well."""
    told = [str(word) for word in words]
    print("seqwise", *told, file=sys.stderr, flush=True)
    if code := main(told):
        raise SystemExit(code)


def weigh(name: str, title: str, story: str, *words: str | Path) -> None:
    """A weighing, and its page and its words in the docs. One that was begun is gone on with."""
    out = Path(words[words.index("--out") + 1])
    trials = "--seeds" in words
    again = [] if not out.exists() else ["--resume"] if trials else ["--overwrite"]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        call("weigh", *words, *again, "--markdown")
    OUT.mkdir(exist_ok=True)
    command = " ".join(["seqwise weigh", *map(str, words)])
    head = f"# {title}\n\n{story.strip()}\n\n```console\n$ {command}\n```\n\n[The whole page]({name}.html)"
    (OUT / f"{name}.md").write_text(f"{head}\n\n{shown.getvalue().strip()}\n", "utf-8")
    shutil.copyfile(out / "verdict.html", OUT / f"{name}.html")


def table(path: Path, rows: list[str], head: str = "") -> Path:
    """Lines as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + "".join(f"{row}\n" for row in rows), "utf-8")
    return path


def sentences(data: Path) -> tuple[list[str], list[str]]:
    """Financial PhraseBank, shuffled: 2,000 to learn from, 1,500 to test on."""
    lines = (data / "sentiment/financial_phrasebank/sentences_50agree.utf8.tsv").read_text("utf-8").splitlines()[1:]
    random.Random(0).shuffle(lines)
    return lines[:2000], lines[2000:3500]


def finance(data: Path, model: str, _: Path) -> None:
    """Full, LoRA and QLoRA, three seeds each, with a data curve."""
    train, test = sentences(data)
    head = "sentence\tlabel\n"
    table(Path("train.tsv"), train, head)
    table(Path("test.tsv"), test, head)
    labels = {"0": "negative", "1": "positive"}
    rows = [line.split("\t") for line in (data / "sentiment/sst2/dev.tsv").read_text("utf-8").splitlines()]
    table(Path("sst2.tsv"), [f"{text}\t{labels[label]}" for text, label in rows], head)
    recipe = (
        "task: classify\nmethod: full\ntrain: [train.tsv]\ntest: [test.tsv]\n"
        "data: {text: sentence, label: label}\nexamples: {batch: 32}\n"
        "training: {epochs: 3}\nevaluation: {every: 20}\n"
    )
    Path("tune.yaml").write_text(recipe, "utf-8")
    place = Path("models/all-MiniLM-L6-v2")
    if not place.exists():
        place.parent.mkdir(exist_ok=True)
        place.symlink_to(Path(model).resolve())
    weigh(
        "finance",
        "Finance sentiment by a sentence encoder",
        """
all-MiniLM-L6-v2 learns the sentiment of finance news: 2,000 sentences of Financial PhraseBank, 1,500 others as test,
in full, by LoRA and by LoRA beside four bits, three seeds each, and in full on nested fractions. What its vectors
know of films is asked by a probe on SST-2.
""",
        place, "--test", "test.tsv", "--general", "sst2.tsv", "--recipe", "tune.yaml",
        "--methods", "full", "lora", "qlora", "--seeds", "3", "--curve", "--price-per-hour", "0.20", "--out", "weighed",
    )  # fmt: skip


def translator(data: Path) -> None:
    """General sentences from Tatoeba, medical ones from TICO-19, and a translator of the general ones."""
    with gzip.open(data / "parallel/tatoeba_en-fr/fra.tsv.gz", "rt", encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t")[:2] for line in file]
    english = sorted({pair[0] for pair in pairs})
    random.Random(0).shuffle(english)
    part = dict.fromkeys(english[:1000], "test") | dict.fromkeys(english[1000:2000], "valid")
    rows: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for pair in pairs:
        rows[part.get(pair[0], "train")].append("\t".join(pair))
    for name, lines in rows.items():
        table(Path(f"general.{name}.tsv"), lines)
    with gzip.open(data / "parallel/tico19_medical_en-fr/tico19.en-fr.tsv.gz", "rt", encoding="utf-8") as file:
        names = next(file).rstrip("\n").split("\t")
        cells = [dict(zip(names, line.rstrip("\n").split("\t"), strict=False)) for line in file]
    for name in ("train", "dev", "test"):  # the part of an id before the colon is its document
        lines = [f"{row['en']}\t{row['fr']}\t{row['id'].split(':')[0]}" for row in cells if row["split"] == name]
        table(Path(f"medical.{name}.tsv"), lines, "source\ttarget\tdocument\n")
    if not Path("runs/general/model.safetensors").is_file():
        files = ["--train", "general.train.tsv", "--valid", "general.valid.tsv", "--out", "runs/general", "--overwrite"]
        call("train", *files, *GENERAL)


def adapt(name: str, *words: str) -> str:
    """A run of its own, unless it is there."""
    out = f"runs/{name}"
    if not Path(out, "outcome.json").is_file():
        files = ["--valid", "medical.dev.tsv", "--test", "medical.test.tsv"]
        call("tune", "runs/general", "--task", "translate", *files, "--out", out, "--overwrite", *words)
    return out


def medicine(data: Path, _: str, __: Path) -> None:
    """Full with three seeds, LoRA, replay; and blends of the first."""
    translator(data)
    learnt = ["--train", "medical.train.tsv", "--epochs", "4"]
    runs = [adapt(f"full-{seed}", *learnt, "--method", "full", "--training.seed", str(seed)) for seed in (1, 2, 3)]
    runs.append(adapt("lora", *learnt, "--method", "lora"))
    replay = ["--guard.replay", "general.train.tsv", "--guard.replay-share", "0.5"]
    runs.append(adapt("replay", *learnt, "--method", "full", *replay))
    weigh(
        "medicine",
        "A translator learns medicine",
        """
A small Transformer was trained on everyday sentences of Tatoeba. It is adapted to medicine, 1,881 sentences of
TICO-19: in full with three seeds, by LoRA, and in full with half of what it reads replayed from Tatoeba. What was
gained is asked on other documents of TICO-19, what was lost on sentences of Tatoeba; blends of base and tuned weights
are tried for a better trade. Sentences of a document go together, and the test has eight documents: without
`--group-by` each gain looks sure (that of full tuning 2.59 to 3.53 BLEU), with it none is.
""",
        "runs/general", *runs, "--test", "medical.test.tsv", "--general", "general.test.tsv",
        "--group-by", "document", "--blend", "0.25", "0.5", "0.75", "--price-per-hour", "0.20", "--out", "weighed",
    )  # fmt: skip


def few(data: Path, _: str, __: Path) -> None:
    """Forty sentences, for much too long, and nobody looks."""
    translator(data)
    table(Path("few.tsv"), Path("general.valid.tsv").read_text("utf-8").splitlines()[:40])
    out = "runs/few-everyday"
    if not Path(out, "outcome.json").is_file():
        files = ["--train", "few.tsv", "--valid", "medical.dev.tsv", "--test", "general.test.tsv", "--out", out]
        wild = [
            "--epochs",
            "30",
            "--evaluation.patience",
            "0",
            "--optimizer.rate",
            "0.002",
            "--evaluation.average",
            "0",
        ]
        blind = ["--evaluation.every", "100000", "--evaluation.first", "false"]
        call("tune", "runs/general", "--task", "translate", "--method", "full", *files, "--overwrite", *wild, *blind)
    weigh(
        "few",
        "Too little data, for too long",
        """
The same translator, tuned on forty everyday sentences that it has not seen for thirty rounds at a high rate, without a
look at validation on the way. (With looks the run keeps the weights that were best, and here these are those that it
began with.)
""",
        "runs/general", out, "--test", "general.test.tsv", "--price-per-hour", "0.20", "--out", "weighed-few",
    )  # fmt: skip


def luck(data: Path, model: str, work: Path) -> None:
    """Two seeds of one recipe."""
    if not Path("weighed/trials/lora-1-seed2/run").is_dir():
        finance(data, model, work)
    weigh(
        "luck",
        "Two models that only luck parts",
        """
Two of the encoders that learnt finance sentiment by LoRA: the same recipe on the same sentences, another seed. On the
same items one of them is better beyond what the luck of the items explains, since each training has a luck of its own.
So the verdict takes it neither for a gain nor for a loss.
""",
        Path("weighed/trials/lora-1-seed1/run"), Path("weighed/trials/lora-1-seed2/run"),
        "--test", "test.tsv", "--general", "sst2.tsv", "--no-rivals", "--out", "weighed-luck",
    )  # fmt: skip


if __name__ == "__main__":
    kind, given = sys.argv[1], sys.argv[2:]
    folder = Path(given[-1])
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(given[0]).resolve()
    base = str(Path(given[1]).resolve()) if len(given) == 3 else ""
    os.chdir(folder)
    {"finance": finance, "medicine": medicine, "few": few, "luck": luck}[kind](source, base, Path())
