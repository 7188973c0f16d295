"""Labels as other programs wrote them, made one, and doubts where they cannot be.

alike          labels that are the same whole number or the same truth, in one spelling
told_by_case   predictions that are wrong for upper and lower case alone
told_strange   predictions that are none of the labels, as LABEL_1 beside positive

A column of whole numbers that lacks some becomes 1.0 in pandas, and what is true is True in Python and true in JSON.
Such labels are the same; what else differs is another label, and may be told but not mended: Us is not US.
"""

import re
from collections.abc import Sequence

from seqwise.data.files import shown
from seqwise.letters import composed
from seqwise.stats.phrases import counted
from seqwise.verbs.weighing.measures import BETWEEN
from seqwise.verdict.scored import Scored

BY_LABEL = ("accuracy", "macro-F1")
"""Names of measures of labels."""
MANY = 0.5  # predictions that are no label, as a share, from which names are taken to differ
TRUTHS = {"true", "false"}

_NUMBER = re.compile(r"[+-]?\d+(\.0+)?")

Rows = Sequence[Sequence[str]]


def alike(outputs: Sequence[str], references: Rows) -> tuple[list[str], list[tuple[str, ...]]]:
    """Both without spaces around them and with accents composed; where all references are whole numbers, or true and
    false, in one spelling."""
    said, right = [_plain(one) for one in outputs], [tuple(map(_plain, row)) for row in references]
    known = {one for row in right for one in row}
    if all(map(_NUMBER.fullmatch, known)):
        return [_whole(one) for one in said], [tuple(map(_whole, row)) for row in right]
    if {one.casefold() for one in known} <= TRUTHS:
        return [_truth(one) for one in said], [tuple(map(_truth, row)) for row in right]
    return said, right


def _plain(text: str) -> str:
    return composed(text.strip())


def told_by_case(scored: Scored) -> str:
    """A note on labels that are right but for upper and lower case; empty where there are none."""
    if not _by_label(scored):
        return ""
    pairs = [(one, _right(text)) for one, text in zip(scored.outputs, scored.references, strict=True)]
    count = sum(a not in right and a.casefold() in {b.casefold() for b in right} for a, right in pairs)
    what = f"{counted(count, 'prediction')} of {scored.system} on {scored.part}"
    return f"{what} counted as wrong for upper and lower case alone" if count else ""


def told_strange(scored: Scored) -> str:
    """A note where half of the predictions, or more, are no label at all; empty where they are."""
    if not _by_label(scored):
        return ""
    known = {one for text in scored.references for one in _right(text)}
    strange = [one for one in scored.outputs if one not in known]
    if len(strange) < MANY * len(scored):
        return ""
    what = f"{len(strange):,} of {len(scored):,} predictions of {scored.system} on {scored.part}"
    return f"{what} are no label of the references: {shown(strange[0])} beside {shown(scored.references[0])}"


def _by_label(scored: Scored) -> bool:
    """Whether items have labels, and what was said of them is known."""
    return scored.measure.name in BY_LABEL and bool(scored.references) and bool(scored.outputs)


def _right(references: str) -> list[str]:
    """The labels of an item, any of which may be said."""
    return references.split(BETWEEN)


def _whole(text: str) -> str:
    """1.0 and +1 are 1, -0 is 0, and 1.5, or whatever was no whole number, what it was. 01 is another label."""
    if not _NUMBER.fullmatch(text):
        return text
    whole = text.split(".")[0].removeprefix("+")
    return "0" if whole == "-0" else whole


def _truth(text: str) -> str:
    return text.casefold() if text.casefold() in TRUTHS else text
