"""export: a model as others read it: for transformers, for CTranslate2, for ONNX Runtime."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import torch
from rich.text import Text

from seqwise.checkpoints import export as hubs
from seqwise.checkpoints import hub
from seqwise.checkpoints.download import locate
from seqwise.checkpoints.export_ctranslate2 import Words, named, to_ctranslate2
from seqwise.checkpoints.export_onnx import to_onnx
from seqwise.checkpoints.run import RunFolder
from seqwise.checkpoints.tabulated import tabulated
from seqwise.config import Range
from seqwise.data import pretrained
from seqwise.data.tokens import Vocabularies
from seqwise.decoding import Generation
from seqwise.errors import CheckpointError, ConfigError
from seqwise.models.architecture import TransformerSettings
from seqwise.models.assemble import Pretrained
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.transformer import Transformer
from seqwise.tasks.opening import ENDLESS, Own, open_own
from seqwise.tasks.settings import Train
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translator, specials
from seqwise.tasks.tuning import handing_on as tuning
from seqwise.tasks.tuning.stored import is_tuned

Format = Literal["hf", "ctranslate2", "onnx", "peft", "merged"]
Numbers = Literal["as-is", "fp32", "bf16", "fp16", "int8"]
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "int8": torch.int8}
ALLOWED: dict[Format, tuple[Numbers, ...]] = {
    "hf": ("as-is", "fp32", "bf16", "fp16"),
    "ctranslate2": ("as-is", "fp32", "bf16", "fp16", "int8"),
    "onnx": ("as-is", "fp32"),
    "peft": ("as-is", "fp32"),
    "merged": ("as-is", "fp32", "bf16", "fp16"),
}
OPENS: dict[Format, str] = {"hf": "transformers", "ctranslate2": "CTranslate2", "onnx": "ONNX Runtime", "peft": "PEFT",
         "merged": "transformers"}  # fmt: skip


@dataclass(frozen=True)
class Exported:
    """What was written."""

    out: str
    format: Format
    family: str
    """Of the hub, such as marian; empty where the format has no families."""
    precision: str
    size: int
    """Bytes of all files."""
    notes: tuple[str, ...]
    """Where answers may differ, and what to know."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {**vars(self), "notes": list(self.notes)}

    def __rich__(self) -> Text:
        kind = f" as {self.family}" if self.family else ""
        first = f"{self.out} for {OPENS[self.format]}{kind}: {self.precision}, {self.size / 1e6:,.1f} MB"
        return Text("\n".join([first, *self.notes]))


def export(
    model: Path,
    /,
    *,
    to: Format,
    out: Path,
    overwrite: bool = False,
    precision: Numbers = "as-is",
    shard: Annotated[float, Range(0.001)] = 5.0,
) -> Exported:
    """Hand a model to others: transformers, CTranslate2 or ONNX Runtime.

    hf writes a folder that transformers opens; a run becomes the family that its settings are like. ctranslate2 writes
    what decodes fast, on CPU too: translators and decoders. onnx writes classifiers and encoders as one graph. Of a
    tuned run, peft writes the adapter by itself, and merged (or hf) the whole model with the adapter in its weights; a
    run of Seqwise that was tuned becomes a plain run again. The tokenizer goes along. Nothing stands in the folder
    before all of it is written.

    Args:
        model: A run folder, a folder in the hub's format, or owner/name on the hub.
        to: hf, ctranslate2 or onnx; peft or merged of a tuned run.
        out: The folder to write, new or empty.
        overwrite: Replace an earlier export there.
        precision: Of the numbers written; int8 is for ctranslate2 only, and onnx is fp32.
        shard: GB from which the weights of hf are spread over several files.

    Example:
        seqwise export runs/en-fr --to hf --out en-fr-hf
    """
    if precision not in ALLOWED[to]:
        raise ConfigError(
            f"--precision {precision} with --to {to}", "one of " + ", ".join(ALLOWED[to]), "--to ctranslate2, or as-is"
        )
    run = RunFolder(model) if (model / "config.yaml").is_file() else None
    tuned = is_tuned(model)
    if to in ("peft", "merged") and not tuned:
        raise ConfigError(f"--to {to} for {model}", "a run of seqwise tune", "--to hf")
    place = model if run else locate(str(model))
    with hubs.fresh_folder(out, place, overwrite) as folder:
        if tuned:
            done = _tuned(place, folder, to, precision, shard)
        else:
            done = _run(place, folder, to, precision, shard) if run else _hub(place, folder, to, precision, shard)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Exported(str(out), to, done.family, str(done.dtype).removeprefix("torch."), size, done.notes)


@dataclass(frozen=True)
class _Done:
    dtype: torch.dtype
    family: str = ""
    notes: tuple[str, ...] = ()


def _tuned(place: Path, folder: Path, to: Format, precision: Numbers, shard: float) -> _Done:
    """A tuned run: its adapter, or the whole model."""
    if to == "peft":
        return _Done(torch.float32, notes=tuning.write_peft(place, folder))
    kept = torch.float32 if to in ("onnx", "ctranslate2") else TYPES.get(precision)
    opened, notes = tuning.whole(place, kept)
    notes = (*notes, *tuning.asked_as(place, opened))
    if to == "merged" and tuning.is_own(place):
        tuning.write_run(place, folder, opened.models[0] if isinstance(opened, Translator) else opened.model)
        return _Done(torch.float32, notes=notes)
    if isinstance(opened, Translator):
        done = _translator(place, opened, tuning.base_settings(place), folder, to, precision, shard)
        return replace(done, notes=(*notes, *done.notes))
    if tuning.is_own(place):
        with TemporaryDirectory(dir=folder.parent) as made:
            tuning.write_run(place, Path(made), opened.model)
            own = open_own(made, "cpu", "fp32")
            if own is None:
                raise TypeError("it classifies or generates")
            done = _own(place, own, folder, to, precision, shard)
        return replace(done, notes=(*notes, *done.notes))
    checkpoint = opened.checkpoint
    dtype = TYPES.get(precision, torch.float32 if to == "onnx" else checkpoint.dtype)
    done = _loaded(checkpoint, opened.model, dtype, folder, "hf" if to == "merged" else to, shard)
    return replace(done, notes=(*notes, *done.notes))


def _hub(place: Path, folder: Path, to: Format, precision: Numbers, shard: float) -> _Done:
    """A checkpoint of the hub."""
    checkpoint = hub.open_checkpoint(place)
    dtype = TYPES.get(precision, torch.float32 if to == "onnx" else checkpoint.dtype)
    loaded = hub.load(checkpoint, checkpoint.dtype if dtype == torch.int8 else dtype, quantize="none")
    return _loaded(checkpoint, loaded, dtype, folder, to, shard)


def _loaded(
    checkpoint: hub.Checkpoint, loaded: Pretrained, dtype: torch.dtype, folder: Path, to: Format, shard: float
) -> _Done:
    """A model of the hub, with its weights."""
    notes: tuple[str, ...] = ()
    match to:
        case "hf":
            loaded = loaded if dtype == torch.int8 else loaded.to(dtype)
            hubs.write_weights(folder, loaded, checkpoint, largest=int(shard * hubs.GIGABYTE))
            hubs.write_config(folder, checkpoint, dtype)
        case "ctranslate2":
            notes = to_ctranslate2(loaded, _words(checkpoint, loaded), folder, dtype)
        case "onnx":
            to_onnx(loaded, folder)
            hubs.write_config(folder, checkpoint, dtype)
    hubs.copy_files(checkpoint.folder, folder)
    return _Done(dtype, checkpoint.family.name, notes)


def _words(checkpoint: hub.Checkpoint, model: Pretrained) -> Words:
    """The tokens of a checkpoint as CTranslate2 wants them."""
    told = {**checkpoint.config, **checkpoint.generation}
    words = pretrained.load(checkpoint.folder, told)
    rows, target_rows = checkpoint.sizes
    never = [ids[0] for ids in told.get("bad_words_ids") or [] if len(ids) == 1] + list(
        told.get("suppress_tokens") or []
    )
    sides = Vocabularies(words.source, words.target)
    found = _named(sides, rows, target_rows or rows, tuple(never), isinstance(model, Transformer))
    if words.behind and words.target.bos not in words.languages.values():  # who translates names it as target_prefix
        return replace(found, specials={**found.specials, "decoder_start_token": None})
    return found


def _named(words: Vocabularies, rows: int, target_rows: int, never: tuple[int, ...], starts: bool) -> Words:
    source, target = named(words.source, rows), named(words.target, target_rows)
    roles = {"unk_token": words.target.unk, "bos_token": words.target.bos, "eos_token": words.target.eos}
    roles |= {"decoder_start_token": words.target.bos} if starts else {}
    return Words(source, target, {role: target[token] for role, token in roles.items()}, never)


def _run(place: Path, folder: Path, to: Format, precision: Numbers, shard: float) -> _Done:
    """A run of ours."""
    own = open_own(place, "cpu", "fp32")
    if own is not None:
        return _own(place, own, folder, to, precision, shard)
    return _translator(place, *open_translator([place], "cpu", "fp32"), folder, to, precision, shard)


def _own(place: Path, own: Own, folder: Path, to: Format, precision: Numbers, shard: float) -> _Done:
    """A run that generates or classifies."""
    model, tokens, config = own.opened.model, own.opened.words.source, own.opened.checkpoint.config
    if not isinstance(model, Decoder | Encoder):
        raise CheckpointError(f"{place}, which is an LSTM", "a Transformer", "seqwise train --model.kind transformer")
    dtype, family = TYPES.get(precision, torch.float32), ""
    notes: tuple[str, ...] = ()
    longest = _reach(own, model.settings)
    ids = {"pad_token_id": tokens.pad, "bos_token_id": tokens.bos, "eos_token_id": tokens.eos}
    labels = {} if isinstance(model, Decoder) else _labels(config["id2label"])
    match to:
        case "hf":
            model = tabulated(model, longest)
            written = hubs.to_hub(model, ids)
            reach = {"max_position_embeddings": longest} if "max_position_embeddings" in written.config else {}
            written = replace(written, config={**written.config, **labels, **reach})
            family = written.family.name
            if labels:
                notes = (f"{family} reads texts of up to {longest:,} tokens",)
            else:
                made = own.settings.generation
                notes = tuple(_differences(made))
                written = replace(written, generation=_generation(made, min(made.max_length, longest - 1), ids))
            hubs.write_weights(folder, model, written, dtype, int(shard * hubs.GIGABYTE))
            hubs.write_config(folder, written, dtype)
        case "ctranslate2":
            words = Vocabularies(tokens, tokens)
            notes = to_ctranslate2(model, _named(words, tokens.size, tokens.size, (), False), folder, dtype)
        case "onnx":
            to_onnx(model, folder)
            hubs.write_json(folder / "config.json", {**ids, **labels})
    hubs.write_tokenizer(folder, tokens, longest, ends=False)
    return _Done(dtype, family, notes)


def _reach(own: Own, settings: TransformerSettings) -> int:
    """Positions that are written down: those it was trained on; where it tells distances only, as many as are usual."""
    if own.opened.longest < ENDLESS:
        return own.opened.longest
    return max(settings.positions.longest, own.settings.generate.context * (own.settings.task == "generate"))


def _labels(named: dict[str, str]) -> dict[str, Any]:
    """Names of labels under the keys of config.json."""
    return {
        "id2label": named,
        "label2id": {name: int(number) for number, name in named.items()},
        "problem_type": "single_label_classification",
    }


def _translator(
    place: Path, translator: Translator, settings: Train, folder: Path, to: Format, precision: Numbers, shard: float
) -> _Done:
    """A translator of ours."""
    model, words = translator.models[0], translator.vocabularies
    if not isinstance(model, Transformer):
        raise CheckpointError(f"{place}, which is an LSTM", "a Transformer", "seqwise train --model.kind transformer")
    dtype, family = TYPES.get(precision, torch.float32), ""
    notes: tuple[str, ...] = ()
    match to:
        case "hf":
            ids, made = _ids(words), settings.generation
            written = hubs.to_hub(model, ids)
            family, notes = written.family.name, tuple(_differences(made, words))
            most = min(made.max_length, model.settings.positions.longest - 1)
            written = replace(written, generation=_generation(made, most, ids, specials(words).forbidden))
            hubs.write_weights(folder, model, written, dtype, int(shard * hubs.GIGABYTE))
            hubs.write_config(folder, written, dtype)
        case "ctranslate2":
            rows = words.source.size, words.target.size
            notes = to_ctranslate2(model, _named(words, *rows, specials(words).forbidden, True), folder, dtype)
        case "onnx":
            to_onnx(model, folder)
    longest = model.settings.positions.longest
    hubs.write_tokenizer(folder, words.source, longest)
    if not words.joint:
        hubs.write_tokenizer(folder / "target", words.target, longest)
    return _Done(dtype, family, notes)


def _ids(words: Vocabularies) -> dict[str, Any]:
    """Special tokens under the names of config.json."""
    target = words.target
    return {
        "pad_token_id": target.pad,
        "bos_token_id": target.bos,
        "eos_token_id": target.eos,
        "decoder_start_token_id": target.bos,
        "forced_eos_token_id": None,
    }


def _generation(made: Generation, most: int, ids: dict[str, Any], forbidden: tuple[int, ...] = ()) -> dict[str, Any]:
    """How the run writes, in the words of generation_config.json. most: tokens of an output."""
    told = ids | {"max_new_tokens": most, "num_beams": 1 if made.temperature else made.beams}
    if made.temperature:
        told |= {"do_sample": True, "temperature": made.temperature, "top_k": made.top_k, "top_p": made.top_p}
        told |= {"min_p": made.min_p} if made.min_p else {}
    if forbidden:
        told["suppress_tokens"] = sorted(forbidden)
    if told["num_beams"] > 1:
        told |= {"length_penalty": made.length_penalty, "early_stopping": made.ranking.early}
    if made.min_length:
        told["min_new_tokens"] = made.min_length
    if made.no_repeat:
        told["no_repeat_ngram_size"] = made.no_repeat
    if made.repetition_penalty != 1.0:
        told["repetition_penalty"] = made.repetition_penalty
    return told


def _differences(made: Generation, words: Vocabularies | None = None) -> Iterator[str]:
    if made.beams > 1 and not made.temperature and made.ranking.by == "wu":
        yield (
            "transformers ranks beams by log p / length ** length_penalty, Seqwise by Wu et al. 2016: outputs of beam "
            "search may differ where lengths do"
        )
    if made.mbr != "none":
        yield "transformers writes the likeliest output, this run the one that is most like the others (ranking.mbr)"
    if words is not None and not words.joint:
        yield "the tokenizer of the target lies in the folder target"
