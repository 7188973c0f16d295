"""Tiny models and examples that a model of a few thousand weights can learn in a second, for `seqwise tune`."""

import json
import random
from dataclasses import replace
from pathlib import Path

import transformers
from folders import byte_tokenizer, save
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from seqwise.decoding import Generation
from seqwise.tasks.tuning import Tune
from seqwise.tasks.tuning.settings import ExampleSettings, PaceSettings
from seqwise.training.loop import EvaluationSettings, TrainingSettings

FILLERS = [
    "man",
    "is",
    "eating",
    "food",
    "machine",
    "learning",
    "cat",
    "sat",
    "on",
    "the",
    "capital",
    "of",
    "you",
    "are",
    "how",
]
SIGNS = {"good": ("love", "Paris"), "bad": ("mat", "seven")}
ENGLISH = ("one", "two", "three", "four", "five", "six", "seven")
FRENCH = ("un", "deux", "trois", "quatre", "cinq", "six", "sept")


def labelled(path: Path, count: int, seed: int, signs=SIGNS) -> str:
    """Texts whose last word tells the label."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        label = list(signs)[number % len(signs)]
        words = [*chance.choices(FILLERS, k=chance.randint(3, 7)), chance.choice(signs[label])]
        rows.append(f"{' '.join(words)}\t{label}")
    path.write_text("text\tlabel\n" + "".join(row + "\n" for row in rows))
    return str(path)


def nli(path: Path, count: int, seed: int, label: str = "label") -> str:
    """Pairs whose second text tells the label by its last word; the first one alone says nothing."""
    chance = random.Random(seed)
    rows = []
    for number in range(count):
        name = list(SIGNS)[number % 2]
        first, second = (" ".join(chance.choices(FILLERS, k=chance.randint(2, 4))) for _ in range(2))
        rows.append(f"{number}\t{first}\t{second} {chance.choice(SIGNS[name])}\t{name}\n")
    path.write_text(f"idx\tpremise\thypothesis\t{label}\n" + "".join(rows))
    return str(path)


def pairs(path: Path, count: int, seed: int) -> str:
    """Random digits, English and French."""
    chance = random.Random(seed)
    rows = [chance.choices(range(7), k=chance.randint(1, 4)) for _ in range(count)]
    told = [" ".join(ENGLISH[i] for i in row) + "\t" + " ".join(FRENCH[i] for i in row) for row in rows]
    path.write_text("source\ttarget\n" + "".join(row + "\n" for row in told))
    return str(path)


def instructions(path: Path, count: int, seed: int) -> str:
    """Alpaca's rows: a digit to be named in French."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        row = chance.choices(range(7), k=chance.randint(1, 3))
        asked, answer = (" ".join(side[i] for i in row) for side in (ENGLISH, FRENCH))
        rows.append({"instruction": "Say it in French.", "input": asked, "output": answer})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def bert(folder, architecture="BertForMaskedLM", **changes):
    """An encoder whose vocabulary is a list of words, the same in each run of the tests; without dropout."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = [*special, *sorted({*FILLERS, *sum(SIGNS.values(), ()), *ENGLISH})]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    frame = [("[CLS]", 2), ("[SEP]", 3)]
    pair = "[CLS] $A [SEP] $B:1 [SEP]:1"
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", pair, frame)
    sizes = {"num_hidden_layers": 2, "max_position_embeddings": 24, **changes}
    sizes = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, **sizes}
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=32, num_attention_heads=4, intermediate_size=48, **sizes
    )
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), special, strict=True))
    return save(folder, architecture, config, tokenizer, {f"{key}_token": name for key, name in names.items()})


def t5(folder):
    """An encoder-decoder with relative positions."""
    tokenizer = byte_tokenizer(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", 1)])
    config = transformers.T5Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4, dropout_rate=0.0,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    told = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return save(folder, "T5ForConditionalGeneration", config, tokenizer, told)


def marian(folder):
    """An encoder-decoder with fixed positions and shared tables."""
    tokenizer = byte_tokenizer(["</s>", "<unk>", "<pad>"])
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", 0)])
    config = transformers.MarianConfig(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, dropout=0.0,
        attention_dropout=0.0, max_position_embeddings=64, pad_token_id=2, eos_token_id=0, decoder_start_token_id=2,
        forced_eos_token_id=0, scale_embedding=True,
    )  # fmt: skip
    return save(folder, "MarianMTModel", config, tokenizer, {"eos_token": "</s>", "pad_token": "<pad>"})


def settings(base, folder: Path, **sections) -> Tune:
    """A run of a second: settings(base, folder, task="classify", training={"steps": 3})."""
    usual = Tune(
        base=str(base),
        out=str(folder / "run"),
        examples=ExampleSettings(batch=16),
        training=TrainingSettings(epochs=2, batch_tokens=400, label_smoothing=0.0, precision="fp32"),
        optimizer=PaceSettings(rate=5e-3),
        evaluation=EvaluationSettings(average=0, patience=0, sentences=20, first=True),
    )
    return changed(usual, **sections)


def changed(given, **sections):
    """A copy of nested frozen settings."""
    parts = {
        name: replace(getattr(given, name), **value) if isinstance(value, dict) else value
        for name, value in sections.items()
    }
    return replace(given, **parts)


def own(folder: Path, kind: str = "transformer", steps: int = 12) -> str:
    """A run of ours that translates digits, badly."""
    from seqwise.data.tokens import TokenSettings
    from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
    from seqwise.models.lstm import LSTMSettings
    from seqwise.tasks import Train
    from seqwise.training.optim import OptimizerSettings
    from seqwise.verbs.train import train

    small = FeedForwardSettings(width=64)
    model = (
        LSTMSettings(width=32, layers=1)
        if kind == "lstm"
        else TransformerSettings(width=32, layers=1, heads=2, feed_forward=small)
    )
    train(
        Train(
            train=(pairs(folder / f"{kind}-train.tsv", 200, 11),),
            valid=(pairs(folder / f"{kind}-valid.tsv", 20, 12),),
            out=str(folder / kind),
            tokens=TokenSettings(kind="words", size=40),
            model=model,
            training=TrainingSettings(epochs=None, steps=steps, batch_tokens=300, precision="fp32"),
            optimizer=OptimizerSettings(rate=5e-3, warmup=5, schedule="constant"),
            evaluation=EvaluationSettings(every=steps, average=0),
            generation=Generation(beams=1, max_length=8),
        )
    )
    return str(folder / kind)
