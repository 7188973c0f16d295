"""Runs of ours that classify or generate, opened like a checkpoint of the hub, so that the same classes put them to
work: `reading.Classifier`, `writing.Writer`, `judging`.

Runs that translate or summarize are opened by `stored.open_translator`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints.families import Family, Head
from seqwise.checkpoints.hub import Checkpoint
from seqwise.checkpoints.run import RunFolder
from seqwise.data.batch import Batch
from seqwise.data.examples import ordered
from seqwise.data.instructions import OnBadRow
from seqwise.data.pretrained import Pretrained
from seqwise.data.tokens import Vocabularies
from seqwise.data.windows import windows
from seqwise.errors import ConfigError
from seqwise.metrics.likelihood import perplexity
from seqwise.models.architecture import TransformerSettings
from seqwise.models.assemble import Model
from seqwise.models.compact import settle
from seqwise.models.linear import instructions
from seqwise.tasks.continuing import joined, whole
from seqwise.tasks.judging import Judged, judge_text
from seqwise.tasks.preparation import empty
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.running import read_labels
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import fill, read_settings

RELATIVE = ("rotary", "alibi", "t5")
"""Positions that tell a distance only: what was trained on short texts can go on for ever, looking as far back."""
BUDGET = 4096  # tokens read together
ENDLESS = 2**31


@dataclass(frozen=True)
class Own:
    """A run that classifies or generates, ready to use."""

    opened: Opened
    settings: Train

    @property
    def streams(self) -> bool:
        """Whether it learnt from text without beginning and end, and is to be judged on such."""
        return self.settings.task == "generate" and self.settings.generate.unit == "file"


def must_have_no_revision(run: str | Path, revision: str | None) -> None:
    """A run has none."""
    if revision is not None:
        raise ConfigError(f"--revision for the run {run}", "a checkpoint of the hub", "leaving it out")


def open_own(
    run: str | Path, where: str = "auto", precision: devices.Precision = "auto", revision: str | None = None
) -> Own | None:
    """The model of a run; None where it is one that translates or summarizes."""
    folder = RunFolder.open(run)
    must_have_no_revision(run, revision)
    settings = read_settings(folder)
    if settings.task not in ("classify", "generate"):
        return None
    chosen = devices.pick(where)
    kept = devices.resolved(precision, chosen)
    words = Vocabularies.load(folder.path)
    labels = read_labels(folder) if settings.task == "classify" else ()
    model = unfilled(settings, words, labels)
    fill(model, folder)
    narrow = kept == "bf16" and not (chosen.type == "cpu" and not instructions())
    made = settle(model.to(chosen, torch.bfloat16 if narrow else torch.float32).eval(), kept)
    return Own(opened_as(made, folder, settings, words, labels, chosen), settings)


def unfilled(settings: Train, words: Vocabularies, labels: Sequence[str]) -> Model:
    """The model of a run, with random weights, as it is put to work."""
    return empty(_lengthened(settings), words, labels)


def opened_as(
    model: nn.Module,
    folder: RunFolder,
    settings: Train,
    words: Vocabularies,
    labels: Sequence[str],
    where: torch.device,
) -> Opened:
    """The model of a run as if it were a checkpoint's."""
    tokenizer = words.source
    read = Pretrained(tokenizer, tokenizer, None, {}, None, None, (tokenizer.eos,), {})
    return Opened(_named(folder, settings, labels), cast(Any, model), read, where, limit=_limit(settings))


def _lengthened(settings: Train) -> Train:
    """A model that generates looks no further back than it was trained to, and so can write more than that."""
    model = settings.model
    if settings.task != "generate" or not isinstance(model, TransformerSettings):
        return settings
    if model.positions.kind not in RELATIVE or model.attention.window is not None:
        return settings
    attention = replace(model.attention, window=settings.generate.context - 1, window_layers=None)
    return replace(settings, model=replace(model, attention=attention))


def _named(folder: RunFolder, settings: Train, labels: Sequence[str]) -> Checkpoint:
    """What the run is, in the words of the hub."""
    head = Head("labels" if settings.task == "classify" else "tokens")
    name = f"the run {folder.path}, which was trained to {settings.task}"
    config: dict[str, Any] = {"id2label": {str(i): label for i, label in enumerate(labels)}, "num_labels": len(labels)}
    family = Family("seqwise", "", {}, {}, "", {name: head})
    return Checkpoint(folder.path, config, {}, name, family, head)


def _limit(settings: Train) -> int:
    """Positions that are no distances mean nothing beyond those of training, or end with their table."""
    model = settings.model
    if not isinstance(model, TransformerSettings) or model.positions.kind in RELATIVE:
        return ENDLESS
    if settings.task == "generate":
        return settings.generate.context
    return model.positions.longest if model.positions.kind == "learned" else ENDLESS


def summarizes(run: str | Path) -> bool:
    """Whether a run is one that summarizes."""
    return read_settings(RunFolder.open(run)).task == "summarize"


def judge_lines(own: Own, test: Sequence[str], resamples: int, encoding: str, on_bad_row: OnBadRow) -> Judged:
    """Perplexity and bits a byte of plain text, line by line."""
    return judge_text(own.opened, test, resamples, encoding, on_bad_row)


@torch.inference_mode()
def judge_stream(own: Own, test: Sequence[str], resamples: int, encoding: str, on_bad_row: OnBadRow) -> Judged:
    """Perplexity and bits a byte of whole files, cut into windows as in training; the most surprising ones first."""
    opened, tokenizer = own.opened, own.opened.words.source
    model: Any = opened.model
    notes: list[str] = []
    ids = joined(whole(test, encoding, on_bad_row, notes.append), tokenizer)
    examples = windows(ids, own.settings.generate.context)
    nats = [0.0] * len(examples)
    for batch in ordered(examples, BUDGET):
        for item, loss in zip(batch.items.tolist(), _nats(model, batch, opened.device), strict=True):
            nats[item] = loss
    targets = examples.targets
    rows = [targets.flat[a:b].tolist() for a, b in zip(targets.starts, targets.starts[1:], strict=False)]
    texts, tokens = tokenizer.decode(rows), [len(row) for row in rows]
    sizes = [len(text.encode()) for text in texts]
    scores = perplexity(nats, tokens, sizes, resamples)
    rates = [loss / count for loss, count in zip(nats, tokens, strict=True)]
    order = sorted(range(len(rates)), key=lambda i: -rates[i])
    items = tuple((str(i), f"{rates[i]:.4f}", str(tokens[i]), texts[i]) for i in order)
    notes.append(f"read in windows of {own.settings.generate.context:,} tokens, each by itself, as in training")
    return Judged(scores, items, ("item", "nats a token", "tokens", "text"), tuple(notes))


def _nats(model: Any, batch: Batch, device: torch.device) -> list[float]:
    """Surprise of each row, summed over its targets."""
    logits = model(batch.inputs.to(device)).float()  # (B, T, V)
    losses = nn.functional.cross_entropy(logits.transpose(1, 2), batch.targets.to(device), reduction="none")  # (B, T)
    return [float(loss) for loss in (losses * batch.weights.to(device)).sum(1)]
