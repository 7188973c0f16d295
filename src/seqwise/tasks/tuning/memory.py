"""How much memory tuning takes, from shapes alone: nothing is read but the config of the model and nothing computed.

    weights        4 bytes in fp32, 2 in bf16, 4.13 bits in NF4
    trained ones   in bf16: fp32 master 4, moments 8, gradient 4 and 2 more where it is made; in fp32: moments 8 and 4
    activations    what a layer keeps of each position for its gradient, times the positions of the longest batch

It says what fits before gigabytes are read; `probing.py` measures. Where the estimate clearly exceeds what is free, a
run is refused before it begins. Left out: what the program itself holds, some 0.4 GB, which is no longer free when this
is asked; splitting the weights among processes, which only makes it less.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints import hub
from seqwise.checkpoints.run import RunFolder
from seqwise.errors import ConfigError
from seqwise.models import nf4
from seqwise.models.heads import NextToken
from seqwise.models.layers import Layer
from seqwise.models.transformer import Stack
from seqwise.models.vocabulary_loss import CHUNK
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.tuning.bases import Base, PretrainedBase, described, must_go_on, own, own_base, prepare
from seqwise.tasks.tuning.settings import Method, Tune, with_method

METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
NF4_BITS = 4.13
"""Of a weight, scales included."""
HOLES = 1.2
"""The heap in which activations come and go is larger than what lies in it at any time."""
KERNELS = 900_000_000
"""Bytes. On processors oneDNN keeps the code of its last 1,024 products, half a megabyte each, and between them the
heap has as many holes again, measured over 40 steps of a MiniLM. They come by and by: nothing is refused for them."""
CLEARLY = 1.15
"""An estimate so many times what is free is refused; one nearer to it may be wrong."""


@dataclass(frozen=True)
class Weights:
    """How many there are."""

    all: int
    trained: int
    four: int
    """Of the frozen ones, how many lie in four bits."""
    largest: int
    """Of the largest matrix in four bits, which is made anew for each product."""


@dataclass(frozen=True)
class Longest:
    """The batch that takes most memory."""

    positions: int
    """Of inputs, padding included."""
    targets: int
    """Of targets that are a text of their own."""
    squares: int
    """Sum of the squared lengths."""


@dataclass(frozen=True)
class Need:
    """Bytes by what they are for."""

    weights: int
    training: int
    """Masters, gradients, moments, and averages of the weights."""
    activations: int
    kernels: int = 0
    """What oneDNN keeps, up to, as ever new shapes of batches go by."""

    @property
    def least(self) -> int:
        """What is needed at once."""
        return self.weights + self.training + self.activations

    @property
    def total(self) -> int:
        """Together."""
        return self.least + self.kernels


def methods_of(settings: Tune) -> tuple[Method, ...]:
    """Those that the model can be tuned by: runs of ours are too small for four bits."""
    return METHODS[:2] if own(settings.base) else METHODS


def hollow(settings: Tune, labels: Sequence[str]) -> Base:
    """The model and its tokenizer, with what is trained settled and no memory for any weight."""
    meta = torch.device("meta")
    if own(settings.base):
        must_go_on(settings)
        with meta:
            base: Base = own_base(RunFolder.open(settings.base), labels, meta)
    else:
        _, wanted, words = described(settings, labels)
        base = PretrainedBase(Opened(wanted, hub.empty(wanted), words, meta))
    prepare(base, settings)
    return base


def count(model: nn.Module, method: Method) -> Weights:
    """The weights of a model that is prepared for the method."""
    weights = list(model.parameters())
    trained = sum(w.numel() for w in weights if w.requires_grad)
    four = [part.weight.numel() for _, part in nf4.products(model)] if method == "qlora" else []
    return Weights(sum(w.numel() for w in weights), trained, sum(four), max(four, default=0))


def need(settings: Tune, model: nn.Module, longest: Longest, dtype: torch.dtype) -> Need:
    """At the peak of a step, once the moments are there."""
    weights, size = count(model, settings.method), dtype.itemsize
    copies = 4 * bool(settings.evaluation.ema) * weights.trained  # of the weights
    if settings.guard.anchor and settings.method == "full":
        copies += size * weights.all
    if settings.training.agreement.r_drop:
        longest = Longest(2 * longest.positions, 2 * longest.targets, 2 * longest.squares)
    narrow = size < 4
    frozen = weights.all - weights.trained - weights.four
    lying = size * (frozen + weights.trained) + int(weights.four * NF4_BITS / 8) + 2 * size * weights.largest
    kernels = KERNELS if devices.pick(settings.training.device).type == "cpu" else 0
    training = (4 if narrow else 0) * weights.trained + 8 * weights.trained + 4 * weights.trained
    kept = activations(model, longest, size, size * weights.trained if narrow else 0)
    return Need(lying, training + copies, kept, kernels)


def activations(model: nn.Module, longest: Longest, size: int, gradients: int) -> int:
    """What lies in memory between forward and backward; in bf16 the narrow gradients take its place as it goes."""
    kept, passing = 0, 0
    stacks = [part for part in model.modules() if isinstance(part, Stack)]
    for stack in stacks:
        of_targets = longest.targets and stack is stacks[-1]
        rows = longest.targets if of_targets else longest.positions
        a_layer = [_of_layer(stack, layer, size, rows, longest) for layer in stack.each()]
        inputs = rows * stack.settings.width * size * (1 + len(a_layer))
        kept += inputs + (0 if stack.checkpointing else sum(a_layer))
        passing = max(passing, 2 * max(a_layer) if stack.checkpointing else max(a_layer))
    for part in model.modules():
        if isinstance(part, nn.LSTM):  # gates, cells and outputs, in fp32
            width = part.hidden_size * (1 + part.bidirectional)
            kept += 4 * 8 * width * part.num_layers * max(longest.positions, longest.targets)
    head = getattr(model, "head", None)
    if isinstance(head, NextToken):
        rows = longest.targets or longest.positions
        passing = max(passing, _of_vocabulary(head, rows, size))
    return int(HOLES * (max(kept, gradients) + passing))


def _of_layer(stack: Stack, layer: Layer, size: int, rows: int, longest: Longest) -> int:
    """Bytes that one layer keeps: inputs and outputs of its norms and products, and what attention needs again."""
    settings = stack.settings
    width, activated, gated = settings.width, settings.feed_forward.width, settings.feed_forward.gated
    inner = 2 * activated if gated else activated
    asked = layer.attend.heads * layer.attend.head_width
    answered = layer.attend.groups * layer.attend.head_width
    relu = settings.feed_forward.activation == "relu" and not gated
    a_row = 4 * width + 2 * asked + 2 * answered + (activated if relu else inner + activated)
    if settings.dropout:
        a_row += 2 * width
    if settings.positions.kind == "rotary" or settings.attention.norm:
        a_row += asked + answered
    if layer.has_memory:
        a_row += 3 * width + 2 * asked
    a_row += sum(2 * rank for rank in _ranks(layer))
    found = rows * a_row * size
    if settings.attention.softcap is not None or stack.relative is not None:
        found += 2 * longest.squares * settings.heads * size  # scores are written down
    return int(found)


def _ranks(layer: nn.Module) -> Iterator[int]:
    """Ranks of the pairs beside a layer's weights."""
    for name, weight in layer.named_parameters():
        if ".lora_a." in f".{name}":
            yield weight.shape[0]


def _of_vocabulary(head: NextToken, rows: int, size: int) -> int:
    """Scores of some positions at a time, and the gradient of the table, in fp32, where it is trained."""
    table = head.weight
    scores = min(rows, max(1, CHUNK // len(table))) * len(table)
    return 2 * scores * size + ((4 + size) * table.numel() if table.requires_grad else 0)


def budgeted(settings: Tune) -> Longest:
    """The longest batch that the settings allow, while no data are read."""
    tokens = settings.training.batch_tokens
    rewrites = settings.task in ("translate", "summarize")
    return Longest(tokens, tokens if rewrites else 0, 0)


def must_fit(settings: Tune, labels: Sequence[str] = ()) -> None:
    """Refuse what cannot fit into the memory that is free, before the model is read."""
    free = devices.available()
    wanted = estimated(settings, labels)
    if free and wanted > CLEARLY * free:
        raise ConfigError(
            f"--method {settings.method} on {settings.base}, which takes some {gigabytes(wanted)} of memory",
            f"at most the {gigabytes(free)} that are free",
            mend(settings, labels, free),
        )


def estimated(settings: Tune, labels: Sequence[str] = ()) -> int:
    """Bytes that a run takes at least."""
    where = devices.pick(settings.training.device)
    dtype = devices.precision(settings.training.precision, where)
    return need(settings, hollow(settings, labels).model, budgeted(settings), dtype).least


def mend(settings: Tune, labels: Sequence[str], free: int) -> str:
    """Flags under which it would fit."""
    found = []
    for flags, other in milder(settings):
        if estimated(other, labels) <= free:
            found.append(flags)
    return ", or ".join(found[:3]) or "a smaller model, or a machine with more memory"


def milder(settings: Tune) -> Iterator[tuple[str, Tune]]:
    """The same run with less memory, in the order of what it costs."""
    tokens = max(1, settings.training.batch_tokens // 4)
    smaller = replace(settings, training=replace(settings.training, batch_tokens=tokens))
    yield f"--training.batch-tokens {tokens}", smaller
    if not settings.examples.checkpointing:
        again = replace(settings, examples=replace(settings.examples, checkpointing=True))
        yield "--examples.checkpointing", again
        both = replace(again, training=smaller.training)
        yield f"--examples.checkpointing --training.batch-tokens {tokens}", both
    for method in methods_of(settings)[METHODS.index(settings.method) + 1 :]:
        yield f"--method {method}", with_method(settings, method)


def gigabytes(count: float) -> str:
    """Thousand millions, as `seqwise doctor` has them."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.0f} MB"
