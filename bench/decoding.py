"""Decoding speed: sentences a second, exactly 18 tokens each, random weights, alone and 64 at once, greedy and beam 5.

python bench/decoding.py [fp32|bf16] [sentences at once] [beams]
"""

import sys

import torch

from _work import BOS, EOS, MODEL, PAD, VOCABULARY, corpus, tell, timed
from seqwise import device
from seqwise.decoding import Generation, Specials, decode
from seqwise.models.assemble import build
from seqwise.models.linear import pack

LENGTH = 18


def main(precision: str = "bf16", only_count: str = "", only_beams: str = "") -> None:
    """Decode and tell how fast."""
    device.keep_memory()
    torch.manual_seed(0)
    sources = [[*ids, EOS] for ids in corpus(2000)[0]]
    model = build(MODEL, VOCABULARY, VOCABULARY).eval().to(device.precision(precision, torch.device("cpu")))
    pack(model)  # as whoever translates does
    specials = Specials(BOS, EOS, PAD, (PAD, BOS))
    for count, runs in ((1, 25), (64, 25)):
        for beams in (1, 5):
            if only_count not in ("", str(count)) or only_beams not in ("", str(beams)):
                continue
            made = Generation(beams=beams, min_length=LENGTH, max_length=LENGTH)
            chosen = iter(range(10**6))

            def batch(count=count, made=made, chosen=chosen):
                first = next(chosen) * count
                return decode(model, sources[first : first + count], made, specials)

            seconds = timed(batch, runs)
            tell(bench="decoding", precision=precision, batch=count, beam=beams, sent_s=count / seconds)


if __name__ == "__main__":
    main(*sys.argv[1:4])
