"""Predictions against references: one score of the whole, one score per item. Knows no model and no file.

text    BLEU and chrF of sentences, with their uncertainty
"""

from seqwise.metrics.text import Score, SentenceScore, bleu, chrf, sentence_scores

__all__ = ["Score", "SentenceScore", "bleu", "chrf", "sentence_scores"]
