"""Predictions against references: one score of the whole, one score per item. Knows no model and no file.

    text    BLEU and chrF of sentences, with their uncertainty

A score says on how many items it rests and in what range it would lie for others.
"""

from seqwise.metrics.scores import Score
from seqwise.metrics.text import SentenceScore, bleu, chrf, looks_tokenized, sentence_scores

__all__ = ["Score", "SentenceScore", "bleu", "chrf", "looks_tokenized", "sentence_scores"]
