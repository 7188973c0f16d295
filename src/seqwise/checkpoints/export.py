"""Models as folders in the hub's format, which transformers opens: what was read from there, and what was trained here.

    written = to_hub(model, ids)                        the family that the model is like, and its config.json
    with fresh_folder(out, source) as folder:           nothing stands in `out` before all of it is written
        write_weights(folder, model, written)
        write_config(folder, written)
        copy_files(checkpoint.folder, folder)           of a checkpoint; or write_tokenizer(), for a run

Other formats stand in `export_ctranslate2.py`, `export_onnx.py` and `export_nf4.py`.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer as Backend
from tokenizers.processors import TemplateProcessing
from torch import Tensor

from seqwise.checkpoints import hub, sentence_pooling
from seqwise.checkpoints.decoders import DECODERS, GPT2
from seqwise.checkpoints.encoder_decoders import BART, M2M100, MARIAN, MBART, PEGASUS, T5
from seqwise.checkpoints.encoders import BERT, ENCODERS
from seqwise.checkpoints.families import Family, Head, Misfit, Raw
from seqwise.checkpoints.files import discard, make_folder, publishing, replacing
from seqwise.checkpoints.hub import CONFIG, GENERATION, Checkpoint
from seqwise.checkpoints.names import pieces
from seqwise.checkpoints.shards import INDEX, WEIGHTS, Shards
from seqwise.checkpoints.tensors import write_tensors
from seqwise.data.tokens import Tokenizer
from seqwise.errors import CheckpointError
from seqwise.models.architecture import TransformerSettings
from seqwise.models.assemble import Pretrained
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import NextToken
from seqwise.models.positions import sinusoidal
from seqwise.models.transformer import Transformer

GIGABYTE = 10**9
SHARD = 5 * GIGABYTE
"""Bytes from which weights are spread over several files."""
ALIKE: dict[type, tuple[Family, ...]] = {
    Transformer: (MARIAN, PEGASUS, BART, MBART, M2M100, T5),
    Decoder: DECODERS,
    Encoder: ENCODERS,
}
"""Families that a model may be written as, the first that fits."""
AS_BERT = "--model.norm.place post --model.norm.embeddings --classify.pool first --classify.dense"
"""With what a classifier is trained that BERT's family has all of; positions and embeddings may be as they are."""
HANDED_ON = re.compile(r".*\bpooler\.dense\.|cls\.seq_relationship\.")
"""Tensors of a checkpoint that are no part of our models and that no other tensor holds. The rest can be worked out."""
COPIED = re.compile(
    r"tokenizer[\w.]*\.json|special_tokens_map[\w.]*\.json|added_tokens\.json|vocab\.(json|txt)|target_vocab\.json"
    r"|merges\.txt|.*\.spm|.*\.model|chat_template\.\w+|generation_config\.json|modules\.json|sentence_bert_config\.json"
    r"|config_sentence_transformers\.json|README\.md|(LICENSE|NOTICE)[\w.]*"
)
"""Files that go along with the weights: what cuts texts, how chats are written, and the licence."""
MADE = (WEIGHTS, INDEX, "model.bin", "model.onnx")
"""Beside config.json, one of these tells an exported folder from any other."""


@contextmanager
def fresh_folder(out: Path, source: Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to be filled, which takes the place of `out` once it is whole. Refuses to delete anything but an export.

    source   the model that is exported, which must not be overwritten
    """
    filled = must_be_free(out, source, overwrite)
    place = out.resolve()
    with publishing(place) as folder:
        yield folder
        if filled:
            discard(place)


def must_be_free(out: Path, source: Path, overwrite: bool = False) -> bool:
    """Refuse a folder that `fresh_folder` would refuse; whether there is something in it that may go."""
    place, origin = out.resolve(), source.resolve()
    if place == origin or place in origin.parents:
        raise CheckpointError(f"--out {out}, where the model itself lies", "another folder", f"--out {out}-export")
    if place.exists() and not place.is_dir():
        raise CheckpointError(f"--out {out}, which is a file", "a folder", "--out with another name")
    filled = place.is_dir() and any(place.iterdir())
    if filled and not overwrite:
        raise CheckpointError(
            f"--out {out}, which has content", "an empty or a new folder", "--overwrite, or --out with another name"
        )
    if filled and not ((place / CONFIG).is_file() and any((place / name).is_file() for name in MADE)):
        raise CheckpointError(
            f"--out {out}, which has content and is no exported model",
            f"a folder with {CONFIG} and {WEIGHTS}, model.bin or model.onnx to overwrite",
            "--out with another name; nothing was deleted",
        )
    return filled


def to_hub(model: Pretrained, ids: Mapping[str, Any], families: Sequence[Family] | None = None) -> Checkpoint:
    """What a model of ours is in the hub: family, architecture and config.json.

    ids        keys of config.json that the model does not tell: pad_token_id, eos_token_id, decoder_start_token_id ...
    families   to be tried in this order; all of the model's shape unless given
    """
    tried = ALIKE[type(model)] if families is None else families
    misfits: dict[str, str] = {}
    for family in tried:
        try:
            return _as(family, model, ids)
        except Misfit as misfit:
            misfits[family.name] = str(misfit)
    raise _unlike(misfits)


def _unlike(misfits: Mapping[str, str]) -> CheckpointError:
    nearest = PEGASUS.name if PEGASUS.name in misfits else next(iter(misfits))
    name = misfits[nearest].split()[0]
    mend = f"another {name} for {nearest}"
    if nearest == PEGASUS.name and not name.startswith("head"):
        usual = attrgetter(name)(TransformerSettings())
        flag = "--model." + name.replace("_", "-")
        mend = f"training with {flag} {str(usual).lower()}, as {nearest} has it, or --to ctranslate2"
    elif nearest == GPT2.name:
        mend = f"training with another {name}, as {nearest} has it, or --to ctranslate2"
    elif nearest == BERT.name:
        mend = f"training with {AS_BERT}, or --to onnx"
    return CheckpointError(
        given="a model like none of the hub: " + "; ".join(f"{one} cannot have {why}" for one, why in misfits.items()),
        allowed="one of these families to have all of its settings",
        mend=mend,
    )


def _as(family: Family, model: Pretrained, ids: Mapping[str, Any]) -> Checkpoint:
    """The model as one of a family; raises `Misfit`."""
    settings = model.settings
    config = family.write(settings)
    for key, value in ids.items():
        if config.setdefault(key, value) != value:  # some families count positions from behind the padding
            raise Misfit(f"{key} {value}, but {config[key]}")
    architecture, head = _head(family, model, config)
    stacks = (model.encoder, model.decoder) if isinstance(model, Transformer) else (_stack(model),)
    sizes = [len(next(stack.embed.parameters())) for stack in stacks]
    config.update(zip(family.vocabulary, sizes, strict=False))
    config |= {"architectures": [architecture], "dtype": str(next(model.parameters()).dtype).removeprefix("torch.")}
    config |= {"is_encoder_decoder": True} if isinstance(model, Transformer) else {}
    config.setdefault("max_position_embeddings", settings.positions.longest)
    try:
        pieces(family, head, model, family.prefix)
    except LookupError as error:
        raise Misfit(f"a part: {error}") from None
    return Checkpoint(Path(), config, {}, architecture, family, head)


def _stack(model: Encoder | Decoder) -> Any:
    return model.encoder if isinstance(model, Encoder) else model.decoder


def _head(family: Family, model: Pretrained, config: dict[str, Any]) -> tuple[str, Head]:
    """The architecture of the family that has the model's head."""
    wanted = None if model.head is None else model.head.settings
    why: Misfit | None = None
    for architecture, head in family.heads.items():
        told = dict(config)
        try:
            head.write(wanted, told)
        except Misfit as misfit:
            why = misfit if why is None or str(why).startswith("head for") else why
        else:
            config.update(told)
            return architecture, head
    raise why or Misfit("a head")


def write_weights(
    folder: Path,
    model: Pretrained,
    checkpoint: Checkpoint,
    dtype: torch.dtype | None = None,
    largest: int = SHARD,
    packed: bool = False,
) -> None:
    """model.safetensors, or shards of at most `largest` bytes with an index, as transformers writes them.

    dtype    of the numbers; as they are unless given
    packed   weights in four bits as they are, see `export_nf4`; in full unless asked for
    """
    told = hub.state(model, checkpoint, packed)
    bias, head = checkpoint.head.weights.get("head.bias"), model.head
    if isinstance(bias, Raw) and isinstance(head, NextToken) and bias.names[0] not in told:
        told[bias.names[0]] = torch.zeros(1, len(head.weight), dtype=head.weight.dtype)
    told |= handed_on(model, checkpoint)
    if checkpoint.family is PEGASUS:
        told |= _sinusoids(model.settings, next(model.parameters()).dtype)
    kept = {name: tensor if dtype is None else tensor.to(dtype) for name, tensor in told.items()}
    parts = _shared_out(kept, largest)
    if len(parts) == 1:
        write_tensors(folder / WEIGHTS, kept, {"format": "pt"})
        return
    table: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        file = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        write_tensors(folder / file, part, {"format": "pt"})
        table |= dict.fromkeys(part, file)
    sizes = [tensor.numel() * tensor.element_size() for tensor in kept.values()]
    count = sum(tensor.numel() for tensor in kept.values())
    metadata = {"total_parameters": count, "total_size": sum(sizes)}
    write_json(folder / INDEX, {"metadata": metadata, "weight_map": dict(sorted(table.items()))})


def _sinusoids(settings: TransformerSettings, dtype: torch.dtype) -> dict[str, Tensor]:
    """Positions as Pegasus keeps them in its files; Marian and M2M-100 work them out."""
    waves = sinusoidal(torch.arange(settings.positions.longest), settings.width).to(dtype)
    return {f"model.{side}.embed_positions.weight": waves.clone() for side in ("encoder", "decoder")}


def _shared_out(tensors: Mapping[str, Tensor], largest: int) -> list[dict[str, Tensor]]:
    """In their order, as many a file as fit; a tensor larger than that has a file for itself."""
    parts: list[dict[str, Tensor]] = [{}]
    room = largest
    for name, tensor in tensors.items():
        size = tensor.numel() * tensor.element_size()
        if size > room and parts[-1]:
            parts.append({})
            room = largest
        parts[-1][name] = tensor
        room -= size
    return parts


def handed_on(model: Pretrained, checkpoint: Checkpoint) -> dict[str, Tensor]:
    """Tensors of the checkpoint that we do not compute with and that belong to it, such as the pooler of BERT."""
    if checkpoint.folder == Path() or not any(checkpoint.folder.glob("*.safetensors*")):
        return {}  # a tuned run keeps the small files of its base only
    shards = hub.renamed(Shards.open(checkpoint.folder))
    prefix = checkpoint.family.prefix
    bare = not any(name.startswith(prefix) for name in shards)
    written = hub.state(model, checkpoint).keys()
    dtype = next(model.parameters()).dtype
    found = {}
    for name in shards:
        target = prefix + name if bare and name.startswith("pooler.") and checkpoint.head.task != "vectors" else name
        if target not in written and HANDED_ON.match(name):
            found[target] = shards.get(name).to(dtype)
    return found


def write_config(folder: Path, checkpoint: Checkpoint, dtype: torch.dtype) -> None:
    """config.json, and generation_config.json where there is something to say."""
    write_json(folder / CONFIG, dict(hub.retyped(checkpoint, dtype).config))
    if checkpoint.generation:
        write_json(folder / GENERATION, dict(checkpoint.generation))


def copy_files(source: Path, folder: Path) -> None:
    """What else belongs to a checkpoint: see `COPIED`."""
    for path in sorted(source.iterdir()):
        if path.is_file() and COPIED.fullmatch(path.name) and not (folder / path.name).exists():
            with path.open("rb") as content, replacing(folder / path.name, path.stat().st_size) as file:
                shutil.copyfileobj(content, file)
    if (source / sentence_pooling.PLACE).is_file():
        make_folder((folder / sentence_pooling.PLACE).parent)
        shutil.copyfile(source / sentence_pooling.PLACE, folder / sentence_pooling.PLACE)


def write_tokenizer(folder: Path, tokenizer: Tokenizer, longest: int, ends: bool = True) -> None:
    """tokenizer.json, and tokenizer_config.json: AutoTokenizer opens them.

    longest   tokens that the model reads at most
    ends      put the end token behind each text; otherwise what the tokenizer itself puts around it
    """
    folder.mkdir(exist_ok=True)
    path = folder / "tokenizer.json"
    tokenizer.save(path)
    names = {token: name for name, token in reversed(tokenizer.vocabulary().items())}
    end = names[tokenizer.eos]
    if ends:
        backend = Backend.from_file(str(path))
        backend.post_processor = TemplateProcessing(f"$A {end}", f"$A {end} $B {end}", [(end, tokenizer.eos)])
        text = backend.to_str(pretty=True).encode()
        with replacing(path, len(text)) as file:
            file.write(text)
    roles = {"pad": tokenizer.pad, "unk": tokenizer.unk, "bos": tokenizer.bos, "eos": tokenizer.eos}
    told: dict[str, Any] = {f"{role}_token": names[token] for role, token in roles.items()}
    told |= {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": longest,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,  # a text that says "</s>" means these letters
    }
    write_json(folder / "tokenizer_config.json", told)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """One file of the folder, for people to read as well."""
    text = (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    with replacing(path, len(text)) as file:
        file.write(text)
