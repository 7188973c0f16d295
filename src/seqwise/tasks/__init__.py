"""What a model is for: what it reads, which shape it has, how it is scored. One row a task, not one trainer a task.

translate    sentence pairs    encoder-decoder    next token    BLEU, chrF
"""

from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Corpus, Translation, Translator

__all__ = ["Corpus", "Train", "Translation", "Translator"]
