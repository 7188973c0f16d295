"""A corpus that a model of a few thousand weights can learn in seconds: digits spelled out, word by word."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Generation
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.tasks import Train
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings

ENGLISH = ("one", "two", "three", "four", "five", "six", "seven")
FRENCH = ("un", "deux", "trois", "quatre", "cinq", "six", "sept")
WORDS = dict(zip(ENGLISH, FRENCH, strict=True))


def write_pairs(folder: Path, name: str, count: int, seed: int) -> tuple[str, str]:
    """Two aligned files of random digits, English and French."""
    chance = random.Random(seed)
    rows = [chance.choices(list(WORDS), k=chance.randint(1, 6)) for _ in range(count)]
    paths = folder / f"{name}.en", folder / f"{name}.fr"
    paths[0].write_text("".join(" ".join(row) + "\n" for row in rows))
    paths[1].write_text("".join(" ".join(WORDS[word] for word in row) + "\n" for row in rows))
    return str(paths[0]), str(paths[1])


@pytest.fixture
def tiny(tmp_path):
    """Settings of a run that takes a second or two."""
    return Train(
        train=write_pairs(tmp_path, "train", 300, 1),
        valid=write_pairs(tmp_path, "valid", 30, 2),
        out=str(tmp_path / "run"),
        tokens=TokenSettings(kind="words", size=40),
        model=TransformerSettings(width=32, layers=1, heads=2, feed_forward=FeedForwardSettings(width=64)),
        training=TrainingSettings(epochs=None, steps=12, batch_tokens=200, precision="fp32"),
        optimizer=OptimizerSettings(rate=5e-3, warmup=5, schedule="inverse-sqrt"),
        evaluation=EvaluationSettings(every=4, average=0),
        generation=Generation(beams=2, max_length=12),
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run that has learnt its corpus, and the folder with its test files."""
    from seqwise.verbs.train import train

    folder = tmp_path_factory.mktemp("trained")
    settings = Train(
        train=write_pairs(folder, "train", 1500, 1),
        valid=write_pairs(folder, "valid", 40, 2),
        out=str(folder / "run"),
        tokens=TokenSettings(kind="words", size=40),
        model=TransformerSettings(width=48, layers=1, heads=4, feed_forward=FeedForwardSettings(width=96), dropout=0.0),
        training=TrainingSettings(epochs=None, steps=320, batch_tokens=600, precision="fp32"),
        optimizer=OptimizerSettings(rate=8e-3, warmup=20, schedule="cosine"),
        evaluation=EvaluationSettings(every=160, average=0),
        generation=Generation(beams=2, max_length=12),
    )
    write_pairs(folder, "test", 25, 3)
    train(settings)
    return folder


def with_(settings, **sections):
    """A copy of nested frozen settings: with_(tiny, training={"steps": 3}, out="x")."""
    changed = {
        name: replace(getattr(settings, name), **value) if isinstance(value, dict) else value
        for name, value in sections.items()
    }
    return replace(settings, **changed)
