"""Predictions against references: one score of the whole, one score per item. Knows no model and no file.

    scores         a score, its interval, and the bootstrap that gives it
    text           BLEU and chrF of sentences
    rouge          ROUGE of summaries
    labels         accuracy and macro-F1
    confusion      what is taken for what
    calibration    whether chances are true, and accuracy against coverage
    likelihood     perplexity and bits a byte
    comparison     two systems on the same items: which is better, and how sure that is

A score says on how many items it rests and in what range it would lie for others.
"""

from seqwise.metrics.scores import Score
from seqwise.metrics.text import SentenceScore, bleu, chrf, looks_tokenized, sentence_scores

__all__ = ["Score", "SentenceScore", "bleu", "chrf", "looks_tokenized", "sentence_scores"]
