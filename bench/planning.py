"""What `seqwise plan` foresees beside what `seqwise tune` then takes: seconds, processor seconds, peak of memory.

    python bench/planning.py sst2 MODEL DATA METHOD [examples]      DATA holds train.tsv, dev.tsv and test.tsv
    python bench/planning.py llama FOLDER METHOD [examples]         a random one of 60 M, made in FOLDER if not there

One epoch. Aimed at: 15 % for time, 10 % for memory. Both are run one after the other, each in processes of its own, as
a user runs them; memory is the largest resident set that the system saw of the process. Where others share the machine,
the wall's seconds tell of them, so processor seconds are told beside.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from _work import tell
from seqwise import device
from seqwise.config import resolve
from seqwise.tasks.tuning import Tune, planning

WORDS = [a + b for a in ("ba", "do", "fi", "ku", "le", "mi", "no", "pa", "ru", "se", "ta", "vo") for b in "lmnrst"]
ASKED = ("Say", "Count", "Name", "Repeat", "Turn around", "Sort")


def instructions(path: Path, count: int) -> str:
    """Made-up rows in Alpaca's form, as long as such rows are: answers log-normal around 60 words."""
    chance = random.Random(5)
    rows = []
    for _ in range(count):
        asked = " ".join([chance.choice(ASKED), *chance.choices(WORDS, k=chance.randint(4, 24))])
        answer = " ".join(chance.choices(WORDS, k=min(250, max(3, round(chance.lognormvariate(4.1, 0.7))))))
        rows.append({"instruction": asked, "input": "", "output": answer})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def llama(folder: Path) -> str:
    """A random checkpoint of 60 M with a byte-level tokenizer of 8,000 entries, as transformers makes it."""
    if (folder / "config.json").exists():
        return str(folder)
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<s>", "</s>"]
    words.train_from_iterator(
        [" ".join(WORDS)] * 3, trainers.BpeTrainer(vocab_size=8000, special_tokens=special, initial_alphabet=alphabet)
    )
    named = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **named).save_pretrained(folder)
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=8000, hidden_size=640, intermediate_size=1728, num_hidden_layers=10, num_attention_heads=10,
        max_position_embeddings=1024, tie_word_embeddings=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    LlamaForCausalLM(shape).to(torch.bfloat16).save_pretrained(folder)
    return str(folder)


def taken(words: list[str]) -> tuple[float, float, int]:
    """Wall and processor seconds of a command, and its largest resident set."""
    began = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} ended with {status}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024


def compare(name: str, method: str, flags: list[str]) -> None:
    """Plan, then tune."""
    asked = [*flags, "--method", method, "--training.epochs", "1", "--out", f"runs/bench-plan-{name}", "--overwrite"]
    settings = resolve(Tune, None, asked)
    data = planning.measured(settings, lambda note: None)
    began = time.monotonic()
    cost = planning.cost(settings, method, data, device.available(), lambda note: None)
    probed = time.monotonic() - began
    if cost.memory is None or cost.wall is None or cost.processor is None:
        raise SystemExit(cost.failed)
    wall, processor, peak = taken([sys.executable, "-m", "seqwise", "tune", *asked])
    foreseen = {"seconds": cost.wall.total, "processor": cost.processor.total, "memory": cost.memory}
    came = {"seconds": wall, "processor": processor, "memory": float(peak)}
    parts = {name: round(one.value, 1) for name, one in cost.processor.parts.items()}
    for what, figure in foreseen.items():
        tell(
            bench="planning", case=name, method=method, steps=data.steps, what=what, foreseen=figure.value,
            error=figure.error, came=came[what], off=figure.value / came[what] - 1, inside=figure.holds(came[what]),
            load=os.getloadavg()[0], probed=probed, estimate=cost.estimate.total, parts=parts,
        )  # fmt: skip


def main(case: str, *words: str) -> None:
    """One case."""
    Path("runs").mkdir(exist_ok=True)
    if case == "sst2":
        model, data, method, *more = words
        count = int(more[0]) if more else 1500
        rows = (Path(data) / "train.tsv").read_text("utf-8").splitlines(keepends=True)[:count]
        Path("runs/bench-plan-train.tsv").write_text("".join(rows), encoding="utf-8")
        files = ["--train", "runs/bench-plan-train.tsv", "--valid", f"{data}/dev.tsv", "--test", f"{data}/test.tsv"]
        compare(f"sst2-{method}", method, ["--base", model, "--task", "classify", *files])
    else:
        folder, method, *more = words
        rows = instructions(Path("runs/bench-plan-rows.jsonl"), int(more[0]) if more else 400)
        files = ["--train", rows, "--training.batch-tokens", "1024"]
        compare(f"llama-{method}", method, ["--base", llama(Path(folder)), "--task", "generate", *files])


if __name__ == "__main__":
    main(*sys.argv[1:])
