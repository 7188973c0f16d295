"""Ids in, ids out: a trained model writes token by token until the end token.

    greedy     the likeliest token at each step; no softmax, since its order is that of the logits
    sampling   a token drawn after temperature, top-k, top-p (Holtzman et al. 2020) and min-p (Nguyen et al. 2024)
    drafts     greedy or sampled, several tokens guessed and checked in one go (Leviathan et al. 2023)
    beam       the K likeliest prefixes, finished ones ranked by log p / length penalty (Wu et al. 2016, eq. 14)

The model is anything with `encode`, `start` and `step`; several vote through `Ensemble`. Words are not known here.

Letters of the shapes: B sentences, K beams, R = B K rows, V vocabulary, t tokens written so far, S source positions.
"""

from seqwise.decoding.ensemble import Ensemble
from seqwise.decoding.generation import Drafting, Generation, Hypothesis, Model, Ranking, Repetition, Specials
from seqwise.decoding.search import decode, score, search

__all__ = [
    "Drafting",
    "Ensemble",
    "Generation",
    "Hypothesis",
    "Model",
    "Ranking",
    "Repetition",
    "Specials",
    "decode",
    "score",
    "search",
]
