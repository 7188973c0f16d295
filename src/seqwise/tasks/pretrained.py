"""A checkpoint of the hub, opened for use: its model, its tokenizer, and how it is meant to be decoded."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from seqwise import device as devices
from seqwise.checkpoints import sentence_pooling
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.hub import Checkpoint, is_checkpoint, load, open_checkpoint
from seqwise.checkpoints.run import CONFIG
from seqwise.config import check
from seqwise.data import pretrained
from seqwise.data.pretrained import Pretrained
from seqwise.decoding import Generation, Ranking, Repetition, Specials
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models import assemble, nf4
from seqwise.models.compact import settle
from seqwise.models.linear import instructions
from seqwise.models.positions import PositionSettings

IDS = ("pad_token_id", "eos_token_id", "bos_token_id", "unk_token_id", "decoder_start_token_id")
PLENTY = 4  # of the free memory such a part may hold what is only there for speed
NEW = 256  # tokens written at most where the checkpoint names no limit
UNASKED = 20  # max_length of transformers where nobody has set one; files of old hold it all the same
IGNORED = (
    "encoder_repetition_penalty", "penalty_alpha", "typical_p", "diversity_penalty",
    "begin_suppress_tokens", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "epsilon_cutoff",
    "eta_cutoff", "sequence_bias", "num_beam_groups", "constraints", "force_words_ids", "stop_strings",
)  # fmt: skip
Precision = devices.Precision


@dataclass(frozen=True)
class Opened:
    """A checkpoint ready to use."""

    checkpoint: Checkpoint
    model: assemble.Pretrained
    words: Pretrained
    device: torch.device
    counts: Counter[str] = field(default_factory=Counter)
    """Texts that were cut, as `cut`; and the tokens that were left, as `left`, where they are fewer than it reads."""
    limit: int | None = None
    """Tokens that a run of ours can read and write together, or that a sentence encoder was made for; None: as the
    checkpoint says."""

    def cut_off(self, left: int = 0) -> None:
        """Count a text that was cut."""
        self.counts["cut"] += 1
        self.counts["left"] = left

    def told(self) -> str | None:
        """How many texts were cut; None where none was."""
        cut, left = self.counts["cut"], self.counts["left"] or self.readable
        return f"{cut:,} text{'s were' if cut != 1 else ' was'} cut to {left:,} tokens" if cut else None

    @property
    def longest(self) -> int:
        """Tokens that the model can read and write together: its table of positions, or what it was trained on."""
        if self.limit is not None:
            return self.limit
        return longest(self.checkpoint.config, self.model.settings.positions) or 2**31

    @property
    def readable(self) -> int:
        """Tokens of a text at most: what the tokenizer was made for may be less than what the model could read."""
        return min(self.longest, self.words.longest or 2**31)


def longest(config: Mapping[str, Any], positions: PositionSettings) -> int | None:
    """Tokens that a checkpoint reads and writes together at most; None where nothing says so."""
    if positions.kind == "learned":
        return positions.longest
    told = config.get("max_position_embeddings")
    return told if positions.kind == "rotary" and isinstance(told, int) else None


def is_run(model: Path | str) -> bool:
    """Whether this is a run of Seqwise's own, rather than a checkpoint of the hub; a run where nothing is there."""
    path = Path(model)
    try:
        if (path / CONFIG).is_file():
            return True
    except OSError:  # a name that no file can have
        given = f"{str(model)[:40]!r}... as the model"
        raise ConfigError(given, "a run folder, a checkpoint, or a name on the hub", 'MODEL "the text"') from None
    return not is_checkpoint(path) and (path.is_dir() or not _could_be_hub(str(model)))


def _could_be_hub(name: str) -> bool:
    """`owner/name`, which is also how a folder in a folder is called: one that exists was recognised before."""
    parts = name.split("/")
    return len(parts) == 2 and all(parts) and not name.startswith((".", "~")) and not Path(parts[0]).exists()


def open_pretrained(
    model: Path | str, revision: str | None = None, where: str = "auto", precision: Precision = "auto"
) -> Opened:
    """Find the checkpoint, read its weights and its tokenizer."""
    device = devices.pick(where)
    checkpoint = open_checkpoint(locate(str(model), revision))
    ids = {key: checkpoint.generation[key] for key in IDS if key in checkpoint.generation}
    words = pretrained.load(checkpoint.folder, {**checkpoint.config, **ids})
    chosen = devices.resolved(precision, device)
    if chosen == "fp32":
        dtype = torch.float32
    elif chosen == "bf16" and (device.type != "cpu" or instructions()):
        dtype = torch.bfloat16
    else:  # weights that are made compact come as they are: what is rounded twice loses twice
        dtype = checkpoint.dtype
    made = settle(load(checkpoint, dtype, device), chosen)
    quick(made, dtype)
    opened = Opened(checkpoint, cast(assemble.Pretrained, made), words, device)
    told = sentence_pooling.reading(checkpoint.folder).longest if checkpoint.head.task == "vectors" else None
    return opened if told is None or told >= opened.longest else replace(opened, limit=told)


def quick(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep weights of four bits as they are multiplied too, where there is plenty of memory: each token needs all."""
    if nf4.layers(model):
        nf4.cache(model, dtype, devices.available() // PLENTY)


def _told(checkpoint: Checkpoint, key: str) -> Any:
    """What the checkpoint says of decoding; old ones say it in config.json."""
    if checkpoint.generation:
        return checkpoint.generation.get(key)
    return checkpoint.config.get(key)


def _listed(checkpoint: Checkpoint, key: str) -> list[Any]:
    found = _told(checkpoint, key)
    return found if isinstance(found, list) else []


def generation(checkpoint: Checkpoint) -> Generation:
    """How the checkpoint is meant to be decoded: what generation_config.json says, in our words."""
    try:
        made = _generation(checkpoint)
        check(made)
    except (TypeError, ValueError, ConfigError) as error:
        told = str(error).splitlines()[0]
        raise CheckpointError(
            given=f"a generation_config.json that makes no sense ({told})",
            allowed="numbers where numbers belong",
            mend="downloading it again",
            where=str(checkpoint.folder),
        ) from None
    return made


def _generation(checkpoint: Checkpoint) -> Generation:
    both = bool(checkpoint.config.get("is_encoder_decoder"))
    sampled = bool(_told(checkpoint, "do_sample"))
    longest, shortest = _told(checkpoint, "max_length"), _told(checkpoint, "min_length")
    room = _told(checkpoint, "max_new_tokens") or (longest - 1 if both and longest and longest > 1 else NEW)
    least = _told(checkpoint, "min_new_tokens") or (max(0, shortest - 1) if both and shortest else 0)
    penalty, repetition = _told(checkpoint, "length_penalty"), _told(checkpoint, "repetition_penalty")
    return Generation(
        beams=int(_told(checkpoint, "num_beams") or 1),
        length_penalty=1.0 if penalty is None else float(penalty),
        ranking=Ranking("mean", _told(checkpoint, "early_stopping") is True),
        min_length=int(least),
        max_length=max(1, int(room), int(least)),
        temperature=float(_told(checkpoint, "temperature") or 1.0) if sampled else 0.0,
        top_k=int(50 if (k := _told(checkpoint, "top_k")) is None else k) if sampled else 0,  # 50, as `generate` has it
        top_p=float(_told(checkpoint, "top_p") or 1.0) if sampled else 1.0,
        min_p=float(_told(checkpoint, "min_p") or 0.0) if sampled else 0.0,
        no_repeat=int(_told(checkpoint, "no_repeat_ngram_size") or 0),
        repetition=Repetition(1.0 if repetition is None else float(repetition)),
    )


def whole(checkpoint: Checkpoint) -> int | None:
    """Tokens of prompt and output together at most, as the `max_length` of a decoder has it; None where nobody has set
    one, or where it is told how many are new."""
    told = _told(checkpoint, "max_length")
    asked = isinstance(told, int) and not isinstance(told, bool) and told > 1 and told != UNASKED
    writes = checkpoint.head.task == "tokens" and not checkpoint.config.get("is_encoder_decoder")
    return told if asked and writes and not _told(checkpoint, "max_new_tokens") else None


def not_applied(checkpoint: Checkpoint) -> Iterator[str]:
    """What the checkpoint asks for that Seqwise does not do."""
    named = checkpoint.config.get("architectures")
    if checkpoint.head.task == "vectors" and isinstance(named, list) and [checkpoint.architecture] != named[:1]:
        yield f"{checkpoint.folder.name} has no weights of the head of {named[0]}: a vector for each text is left"
    for key in IGNORED:
        value = _told(checkpoint, key)
        if value is not None and value not in (0, 0.0, 1, 1.0, False, []):
            yield f"{checkpoint.folder.name} asks for {key} {value}, which Seqwise does not apply"
    least = _told(checkpoint, "min_length")
    if least and not checkpoint.config.get("is_encoder_decoder") and not _told(checkpoint, "min_new_tokens"):
        told = "which counts the prompt too and Seqwise does not apply; --min-length counts what is written"
        yield f"{checkpoint.folder.name} asks for min_length {least}, {told}"
    if _told(checkpoint, "early_stopping") == "never":
        yield f"{checkpoint.folder.name} asks for early_stopping never, which Seqwise does not apply"
    if any(len(ids) > 1 for ids in _listed(checkpoint, "bad_words_ids") if isinstance(ids, list)):
        yield f"{checkpoint.folder.name} forbids sequences of tokens, which Seqwise does not"


def specials(opened: Opened, forced: int | None = None) -> Specials:
    """The ids that steer the decoder. `forced`: what every output begins with, where the user chose it."""
    checkpoint, words = opened.checkpoint, opened.words
    wrong = [ids[0] for ids in _listed(checkpoint, "bad_words_ids") if isinstance(ids, list) and len(ids) == 1]
    wrong = [token for token in (*wrong, *_listed(checkpoint, "suppress_tokens")) if isinstance(token, int)]
    ends = words.ends or (words.target.eos,)
    told = _told(checkpoint, "forced_bos_token_id") if forced is None else forced
    if told is not None and not (isinstance(told, int) and 0 <= told < (checkpoint.sizes[1] or checkpoint.sizes[0])):
        raise CheckpointError(
            given=f"forced_bos_token_id {told!r}",
            allowed="a token of the model",
            mend="--target-language, or mending generation_config.json",
            where=str(checkpoint.folder),
        )
    return Specials(
        start=words.target.bos,
        end=ends[0],
        padding=words.source.pad,
        forbidden=tuple(token for token in wrong if 0 <= token < words.target.size),
        also_end=tuple(ends[1:]),
        forced=told,
        forced_end=_told(checkpoint, "forced_eos_token_id") is not None,
        bounded=False,
        renormalized=_told(checkpoint, "renormalize_logits") is True,
    )


def fitting(
    ids: list[int],
    opened: Opened,
    cut: bool,
    what: str,
    mend: str = "--cut, or a shorter text",
    ending: int = 1,
    text: object = None,
) -> list[int]:
    """The ids, cut where they are too many and may be, but for the last ones, which end a text. text: what they are of,
    which a refusal is about."""
    most = opened.readable
    if len(ids) <= most:
        return ids
    if not cut:
        asked = most == opened.limit and opened.checkpoint.head.task == "vectors"
        where = f"the {'max_seq_length' if asked else 'positions'} of {opened.checkpoint.folder.name}"
        raise ConfigError(f"{what} of {len(ids):,} tokens", f"at most {most:,}, {where}", mend).about(text)
    opened.cut_off()
    return [*ids[: most - ending], *ids[-ending:]]
