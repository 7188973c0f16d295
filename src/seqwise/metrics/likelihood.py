"""How well a model foresees a text: perplexity and bits a byte, with 95 % intervals over lines."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from seqwise.errors import DataError
from seqwise.metrics.scores import Score, interval, resampled


def perplexity(
    nats: Sequence[float], tokens: Sequence[int], sizes: Sequence[int], resamples: int = 1000, seed: int = 12345
) -> tuple[Score, Score]:
    """exp of the mean surprise of a token; and the surprise a byte in bits, which models with other tokens share.

    nats     surprise of each line, summed over its tokens
    tokens   how many were foreseen in each
    sizes    bytes of each line in UTF-8
    """
    if not sum(tokens):
        raise DataError("no token to foresee", "lines of at least two tokens", "another file")
    counts: Float[np.ndarray, "N 3"] = np.array([nats, tokens, sizes], dtype=np.float64).T
    total, drawn = counts.sum(0), resampled(counts, resamples, seed)  # (3,), (R, 3)
    drawn = drawn[drawn[:, 1] > 0]
    signature = f"tokens:{int(total[1])}|bs:{resamples}|seed:{seed}"
    found = Score(
        "perplexity",
        float(np.exp(total[0] / total[1])),
        interval(np.exp(drawn[:, 0] / drawn[:, 1])),
        len(counts),
        signature,
        resamples,
        "lines",
    )
    bits = Score(
        "bits/byte",
        float(total[0] / np.log(2) / total[2]),
        interval(drawn[:, 0] / np.log(2) / drawn[:, 2]),
        len(counts),
        signature,
        resamples,
        "lines",
    )
    return found, bits
