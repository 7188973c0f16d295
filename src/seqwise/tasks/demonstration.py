"""What the demo trains and tunes: its corpora on disk, and settings that fit minutes on two cores."""

from pathlib import Path

from seqwise.checkpoints.files import make_folder, replacing
from seqwise.data.phrasebook import Phrasebook
from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Generation
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.tasks.settings import Train
from seqwise.tasks.tuning.settings import GuardSettings, PaceSettings, Tune
from seqwise.training.loop import EvaluationSettings, TrainingSettings
from seqwise.training.optim import OptimizerSettings

OFFICE = "office-"
"""What the names of the domain's files begin with."""
NAMES = {
    f"{domain}{part}.{side}" for domain in ("", OFFICE) for part in ("train", "valid", "test") for side in ("en", "fr")
}

Files = dict[str, tuple[str, str]]


def write_corpus(book: Phrasebook, folder: Path, domain: str = "") -> Files:
    """Write the three parts as aligned files, `train.en` and `train.fr` and so on; their names come back by part."""
    strange = [path.name for path in folder.glob("*") if path.name not in NAMES]
    if strange:
        raise ConfigError(
            f"{folder} with {strange[0]} in it", "a folder for the demo's sentences alone", "--out another"
        )
    make_folder(folder)
    parts = {"train": book.train, "valid": book.valid, "test": book.test}
    names = {}
    for part, pairs in parts.items():
        names[part] = (str(folder / f"{domain}{part}.en"), str(folder / f"{domain}{part}.fr"))
        for name, lines in zip(names[part], (pairs.sources, pairs.targets), strict=True):
            content = "".join(f"{line}\n" for line in lines).encode()
            with replacing(Path(name), len(content)) as file:
                file.write(content)
    return names


def settings(files: Files, out: Path, overwrite: bool, seed: int) -> Train:
    """A small Transformer, trained for two minutes or so; on slower machines the rate falls within the time limit.

    Without dropout: a grammar has no noise that could be learnt by heart, and few steps are all that there is time for.
    """
    return Train(
        train=files["train"],
        valid=files["valid"],
        out=str(out),
        overwrite=overwrite,
        tokens=TokenSettings(size=3000),
        model=TransformerSettings(
            width=128, layers=2, heads=4, dropout=0.0, feed_forward=FeedForwardSettings(width=512)
        ),
        training=TrainingSettings(epochs=5, batch_tokens=2048, time_limit=135.0, seed=seed),
        optimizer=OptimizerSettings(rate=5e-3, warmup=100, schedule="cosine", fall_by="time"),
        evaluation=EvaluationSettings(sentences=200, average=0),
        generation=Generation(beams=4),
    )


def tuning(base: Path, general: Files, office: Files, out: Path, overwrite: bool, seed: int) -> Tune:
    """The same model on the few sentences of the office, with some of the general ones in between."""
    return Tune(
        base=str(base),
        task="translate",
        method="full",
        train=office["train"],
        valid=office["valid"],
        test=office["test"],
        out=str(out),
        overwrite=overwrite,
        guard=GuardSettings(replay=general["train"], replay_share=0.33),
        training=TrainingSettings(epochs=12, batch_tokens=2048, time_limit=75.0, label_smoothing=0.0, seed=seed),
        optimizer=PaceSettings(rate=2e-3, fall_by="time"),
        evaluation=EvaluationSettings(sentences=100, average=0, patience=0, first=True),
        generation=Generation(beams=4),
    )
