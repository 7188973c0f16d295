"""What a model is for: what it reads, which shape it has, how it is scored. One row a task, not one trainer a task.

    translate    sentence pairs     encoder-decoder    next token    BLEU, chrF          rewriting
    summarize    text, summary      encoder-decoder    next token    ROUGE               rewriting
    classify     text, label        encoder, LSTM      label         accuracy, macro-F1  labelling
    generate     plain text         decoder            next token    perplexity          continuing

The last column is the file that prepares a run from scratch; `running` trains them all, `watching` looks at them all,
`stored` and `opening` open what came of it. Models that are there already are tuned in `tuning`.
"""

from seqwise.tasks.choosing import Translation
from seqwise.tasks.settings import Train
from seqwise.tasks.translation import Corpus, Translator

__all__ = ["Corpus", "Train", "Translation", "Translator"]
