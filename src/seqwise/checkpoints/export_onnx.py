"""Models that read, as one graph for ONNX Runtime: encoders, and classifiers of texts or of tokens.

    inputs    input_ids, attention_mask, and token_type_ids where the model tells a first text from a second;
              all (batch, length), both of them free
    output    logits, or last_hidden_state where there is no head

Our own forward pass asks its tensors which kernel is fastest and whether there is any padding. A graph cannot ask, so
it is written down here once more without questions; the layers are the same. What writes belongs to CTranslate2.
"""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from seqwise.errors import CheckpointError, MissingExtraError
from seqwise.models.assemble import Pretrained
from seqwise.models.attention import Kernel
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import Labels
from seqwise.models.kernels import Mask, bounded
from seqwise.models.layers import OffsetRMSNorm, RMSNorm
from seqwise.models.positions import sinusoidal, turns
from seqwise.models.transformer import Stack

NAME = "model.onnx"
OPSET = 18
WHOLE = 1_500_000_000  # bytes of weights up to which one file holds them; a protobuf ends at 2 GiB
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
FORGOTTEN = -1e30
"""Added to a score that does not count. Not -inf: a row of padding alone has to stay a number."""


class PlainKernel(Kernel):
    """`attention()` as three calls, whatever the lengths."""

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Mask,
        scale: float,
        drop: float,
        softcap: float | None = None,
    ) -> Tensor:
        """softmax(q k^T * scale + bias) v"""
        if key.shape[1] != query.shape[1]:
            groups = query.shape[1] // key.shape[1]
            key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
        scores = bounded(query @ key.transpose(-1, -2) * scale, softcap)  # (B, H, T, S)
        weights = (scores if mask.bias is None else scores + mask.bias).softmax(-1)
        return weights @ value


class PlainNorm(nn.Module):
    """x / rms(x) * w by what every opset has."""

    def __init__(self, weight: Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon) * self.weight


def _made_plain(module: nn.Module) -> None:
    """Parts that have a plainer form take it, in place."""
    for name, part in module.named_children():
        match part:
            case Kernel():
                setattr(module, name, PlainKernel())
            case RMSNorm():
                setattr(module, name, PlainNorm(part.weight.detach(), part.epsilon))
            case OffsetRMSNorm():
                setattr(module, name, PlainNorm(part.weight.detach() + 1.0, part.epsilon))
            case _:
                _made_plain(part)


class Graph(nn.Module):
    """What is exported: masks as attention_mask has them, no question asked of a tensor."""

    rows: Tensor
    """What is added to the embeddings of each position, (longest, W); empty where nothing is."""

    def __init__(self, model: Encoder | Decoder) -> None:
        super().__init__()
        self.stack = stack = model.encoder if isinstance(model, Encoder) else model.decoder
        self.head = model.head
        self.register_buffer("rows", _rows(stack), persistent=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Logits, or vectors."""
        stack, real = self.stack, attention_mask.bool()  # (B, T)
        x = self._enter(input_ids, token_type_ids)
        length = input_ids.shape[1]
        where = torch.arange(length, device=input_ids.device)
        seen = real[:, None, None]  # (B, 1, 1, T)
        if stack.causal:
            seen = seen & (where <= where[:, None])
        settings = stack.settings
        width = settings.attention.head_width or settings.width // settings.heads
        relative = None if stack.relative is None else stack.relative(where, where)
        for i, layer in enumerate(stack.each()):
            local = settings.local(i)
            near = seen
            if local and settings.attention.window is not None:
                near = seen & ((where - where[:, None]).abs() <= settings.attention.window)
            bias = torch.where(near, 0.0, FORGOTTEN)  # (B, 1, #T, T)
            bias = bias if relative is None else bias + relative
            x = layer(x, Mask(bias=bias), rotation=turns(settings.positions, width, where, local))
        return self._answer(stack.last_norm(x), attention_mask)

    def _enter(self, ids: Tensor, kinds: Tensor | None) -> Tensor:
        x: Tensor = self.stack.embed(ids)
        if len(self.rows):
            x = x + self.rows[: ids.shape[1]]
        segments = self.stack.segments
        if segments is not None:
            x = x + (segments.weight[0] if kinds is None else functional.embedding(kinds, segments.weight))
        entered: Tensor = self.stack.embed_norm(x)
        return entered

    def _answer(self, x: Tensor, attention_mask: Tensor) -> Tensor:
        head = self.head
        if not isinstance(head, Labels):
            told: Tensor = x if head is None else head(x)
            return told
        kept = attention_mask.to(x.dtype)[:, :, None]  # (B, T, 1)
        match head.settings.pool:
            case "first":
                x = x[:, 0]
            case "last":  # the last real token, wherever the padding stands
                where = torch.arange(x.shape[1], device=x.device)
                last = (where * attention_mask).argmax(1)  # (B,)
                x = (x * (where == last[:, None])[:, :, None].to(x.dtype)).sum(1)
            case "mean":
                x = (x * kept).sum(1) / kept.sum(1)
        scores: Tensor = head.out(x if head.change is None else head.change(x))
        return scores


def _rows(stack: Stack) -> Tensor:
    """What each position adds to the embeddings."""
    settings, weight = stack.settings, next(stack.parameters())
    positions = settings.positions
    if stack.positions.table is not None:
        return stack.positions.table.weight.detach()[positions.offset :]
    if positions.kind != "sinusoidal":
        return weight.new_zeros(0, settings.width)
    where = torch.arange(positions.offset, positions.offset + positions.longest)
    closed = positions.spread == "closed"
    return sinusoidal(where, settings.width, positions.theta, positions.interleaved, closed).to(weight.dtype)


def to_onnx(model: Pretrained, folder: Path) -> tuple[str, ...]:
    """Write model.onnx, in fp32, into a folder that is there; back come the names of its inputs. Uses the model up."""
    if isinstance(model, Decoder) and model.head is not None and not isinstance(model.head, Labels):
        raise _wrong("a model that writes")
    if not isinstance(model, Encoder | Decoder):
        raise _wrong("a model that reads one text and writes another")
    _need_library()
    graph = Graph(model.float()).eval()
    _made_plain(graph)
    names = INPUTS if (model.settings.segments or 0) > 1 else INPUTS[:2]
    ones = torch.ones(2, 7, dtype=torch.int64)
    sample = (ones, ones, 0 * ones)[: len(names)]
    answer = "last_hidden_state" if model.head is None else "logits"
    whole = isinstance(model.head, Labels) and model.head.settings.pool != "each"
    free = {0: "batch", 1: "length"}
    beside = sum(weight.numel() * weight.element_size() for weight in model.parameters()) > WHOLE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that what is traced is fixed, which the tests look at
        torch.onnx.export(
            graph,
            sample,
            str(folder / NAME),
            input_names=list(names),
            output_names=[answer],
            dynamic_axes=dict.fromkeys(names, free) | {answer: {0: "batch"} if whole else free},
            opset_version=OPSET,
            external_data=beside,
            dynamo=False,  # the newer way takes twenty times as long, and its graph of these layers answered wrongly
        )
    return names


def _need_library() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            given="ONNX is not installed", allowed="the extra 'onnx'", mend="pip install 'seqwise[onnx]'"
        ) from error


def _wrong(given: str) -> CheckpointError:
    return CheckpointError(
        given=f"{given} for ONNX", allowed="a classifier or an encoder", mend="--to ctranslate2, which decodes"
    )
