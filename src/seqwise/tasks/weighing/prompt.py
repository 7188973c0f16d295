"""A decoder that was never tuned, asked for a label: the one that it finds least surprising behind the text.

    {text}
    Label: positive

The surprise of each label is that of its tokens, of which a longer label has more: the mean of them decides (Holtzman
et al. 2021 discuss what else may). Left out: examples in the prompt, and prompts that are searched for, which cost.
"""

from collections.abc import Sequence
from dataclasses import replace

from seqwise.data.conversations import Conversations, exchange
from seqwise.data.paired import sides
from seqwise.models.decoder import Decoder
from seqwise.models.heads import NextToken
from seqwise.tasks.pretrained import is_run
from seqwise.tasks.tuning.bases import PretrainedBase, open_base
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.tuning.jobs import job_for
from seqwise.tasks.tuning.settings import Tune, WritingSettings

PROMPT = "{text}\nLabel:"


def prompted(base: str, items: Items, labels: Sequence[str], settings: Tune) -> tuple[str, ...] | None:
    """A label of each item; None where the base does not write.

    settings   of the tuned run: device and precision
    """
    if is_run(base):
        return None
    asked = Tune(base=base, task="generate", method="full", training=settings.training, writing=WritingSettings())
    opened = open_base(asked)
    if not isinstance(opened, PretrainedBase) or not _writes(opened):
        return None
    spaced = "" if opened.opened.words.template else " "  # a chat template parts question and answer itself
    told = ["\n".join(sides(text)) if items.parted else text for text in items.texts]
    pairs = [(PROMPT.replace("{text}", text), f"{spaced}{label}") for text in told for label in labels]
    texts, wanted = (tuple(side) for side in zip(*pairs, strict=True))
    places = tuple(place for place in items.places for _ in labels)
    talks = Conversations.of(exchange(*pair) for pair in pairs)
    found = job_for(opened, replace(asked, examples=settings.examples), ()).answers(
        Items(texts, wanted, places, conversations=talks)
    )
    rates = [nats / max(1, tokens) for nats, tokens in zip(found.losses, found.tokens, strict=True)]
    rows = [rates[first : first + len(labels)] for first in range(0, len(rates), len(labels))]
    return tuple(labels[row.index(min(row))] for row in rows)


def _writes(base: PretrainedBase) -> bool:
    model = base.opened.model
    return isinstance(model, Decoder) and isinstance(model.head, NextToken)
