"""The work that the benchmarks share: a made-up corpus of caption-like lengths, a model, and how results are told.

256 wide, 4 heads, 1024 inside, 3 + 3 layers, one vocabulary of 8,000, dropout 0.1 everywhere, attention included.
Source lengths are about N(13, 4), target lengths follow them, words are drawn by Zipf's law.
"""

import json
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.attention import AttentionSettings

PAD, UNK, BOS, EOS = range(4)
VOCABULARY = 8000
LAYERS, WIDTH, INNER = 3, 256, 1024

MODEL = TransformerSettings(
    width=WIDTH,
    layers=LAYERS,
    heads=4,
    dropout=0.1,
    feed_forward=FeedForwardSettings(width=INNER, dropout=0.1),
    attention=AttentionSettings(dropout=0.1),
)


def corpus(count: int = 20_000, seed: int = 7) -> tuple[list[list[int]], list[list[int]]]:
    """Source and target ids, the end tokens not yet there. A target word is a fixed image of a source word."""
    chance = np.random.default_rng(seed)
    spans = np.clip(np.rint(chance.normal(13, 4, count)), 3, 40).astype(int)
    answers = np.clip(np.rint(14 + 0.75 * (spans - 13) + chance.normal(0, 2.65, count)), 3, 40).astype(int)
    zipf = 1.0 / (np.arange(VOCABULARY - 4) + 10.0)
    words = chance.permutation(VOCABULARY - 4)
    drawn = words[chance.choice(VOCABULARY - 4, spans.sum(), p=zipf / zipf.sum())] + 4
    image = chance.permutation(VOCABULARY - 4)
    sources = np.split(drawn, np.cumsum(spans)[:-1])
    targets = [np.resize(image[source - 4] + 4, length) for source, length in zip(sources, answers, strict=True)]
    return [s.tolist() for s in sources], [t.tolist() for t in targets]


def training_flops(
    source_tokens: int, target_tokens: int, source_length: float = 13, target_length: float = 15
) -> float:
    """Useful floating-point operations of one forward and backward pass; padding is none."""
    encoder = LAYERS * (4 * WIDTH**2 + 2 * WIDTH * INNER)
    decoder = LAYERS * (6 * WIDTH**2 + 2 * WIDTH * INNER)
    crossing = LAYERS * 2 * WIDTH**2
    products = 2 * (source_tokens * (encoder + crossing) + target_tokens * (decoder + WIDTH * VOCABULARY))
    scores = source_tokens * source_length + target_tokens * (target_length + source_length)
    return 3 * (products + 4 * LAYERS * WIDTH * scores)


def timed(call: Callable[[], object], runs: int = 9, warm: int = 2) -> float:
    """Median seconds of a call."""
    for _ in range(warm):
        call()
    seconds = []
    for _ in range(runs):
        clock = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - clock)
    return statistics.median(seconds)


def tell(**facts: object) -> None:
    """One JSON line."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown = {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items()}
    print(json.dumps({**shown, "peak_mb": round(peak)}), flush=True)
