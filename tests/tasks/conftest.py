"""Small files for each task, and settings of runs that take a second or two."""

import random

import pytest

from seqwise.data.tokens import TokenSettings
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.tasks.settings import ClassifySettings, GenerateSettings, Train
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings

GOOD, BAD, OTHER = ("fine", "lovely", "great"), ("dull", "awful", "poor"), ("the", "film", "was", "a", "it", "so")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SMALL = TransformerSettings(width=32, layers=1, heads=2, dropout=0.1, feed_forward=FeedForwardSettings(width=64))
LSTM = LSTMSettings(width=16, layers=1)


def write_reviews(path, count, seed):
    """Texts whose label a single word tells."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        label = chance.choice("01")
        words = chance.choices(OTHER, k=chance.randint(2, 7))
        words.insert(chance.randint(0, len(words)), chance.choice(GOOD if label == "1" else BAD))
        rows.append(f"{' '.join(words)}\t{label}\n")
    path.write_text("".join(rows))
    return str(path)


def write_summaries(path, count, seed):
    """The summary is the first word of each sentence."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        firsts = chance.choices(GOOD + BAD, k=3)
        text = " ".join(f"{one.capitalize()} {' '.join(chance.choices(OTHER, k=3))}." for one in firsts)
        rows.append(f"{text}\t{' '.join(firsts)}\n")
    path.write_text("".join(rows))
    return str(path)


def write_lines(path, count, seed):
    """Lines that go on with the alphabet from somewhere."""
    chance = random.Random(seed)
    drawn = [(chance.randint(0, 25), chance.randint(4, 30)) for _ in range(count)]
    path.write_text("".join("".join(LETTERS[(n + i) % 26] for i in range(length)) + "\n" for n, length in drawn))
    return str(path)


def settings_for(task, folder, kind="transformer"):
    """Settings of a tiny run."""
    write = {"classify": write_reviews, "summarize": write_summaries}.get(task, write_lines)
    count = {"classify": 240, "summarize": 60, "generate": 400}[task]
    ending = ".txt" if task == "generate" else ".tsv"
    return Train(
        task=task,
        train=(write(folder / f"train{ending}", count, 1),),
        valid=(write(folder / f"valid{ending}", 40, 2),),
        out=str(folder / "run"),
        tokens=TokenSettings(kind="characters" if task == "generate" else "words", size=60, min_frequency=1),
        model=LSTM if kind == "lstm" else SMALL,
        classify=ClassifySettings(word_dropout=0.1),
        generate=GenerateSettings(unit="file" if kind == "stream" else "line", context=12),
        training=TrainingSettings(epochs=None, steps=12, batch_tokens=200, precision="fp32"),
        optimizer=OptimizerSettings(rate=1e-2, warmup=5, schedule="inverse-sqrt"),
        evaluation=EvaluationSettings(every=4, average=0, sentences=3),
    )


RUNS = [
    ("classify", "transformer"),
    ("classify", "lstm"),
    ("summarize", "transformer"),
    ("generate", "line"),
    ("generate", "stream"),
]


@pytest.fixture(scope="session")
def settings_of():
    """settings_of("classify", folder, "lstm"): the settings of a tiny run."""
    return settings_for


@pytest.fixture(params=RUNS, ids=["-".join(run) for run in RUNS])
def every_run(request, tmp_path):
    """The settings of a run of each task and kind."""
    return settings_for(*request.param[:1], tmp_path, request.param[1])
