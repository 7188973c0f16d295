"""A text cut into sentences, by rules and without a library: good enough for the first sentence of an abstract.

Cut behind . ! ? where a space and no small letter follows, but not behind abbreviations, initials and the numbers of
lists; behind the full stops of Chinese and Japanese; at blank lines. Left out: learning where a language ends its
sentences (Punkt: Kiss and Strunk 2006), which needs text of that language.
"""

import re

_END = re.compile(
    r"""(?P<stop>[.!?\u2026\u0964\u061f]+)(?:["'\u201d\u2019)\]]|\s?\u00bb)*\s+
      | [\u3002\uff01\uff1f\uff61]+["'\u201d\u2019\u300d\u300f)\uff09\]]*
      | \n\s*\n\s*""",
    re.VERBOSE,
)
_LAST = re.compile(r"\S+$")
_OPENING = "\"'\u201c\u2018\u00ab(["
_BEFORE_A_NAME = re.compile(
    r"mr|mrs|ms|mme|mlle|dr|prof|st|gen|col|sgt|pfc|cpl|maj|capt|lt|sen|rep|gov|rev|hon|vs|eg|ie|cf|fig|figs"
)
_SHORT = re.compile(
    r"etc|al|ca|approx|nos?|nr|vols?|pp?|eqs?|eqn|secs?|ch|tabs?|refs?|resp|inc|ltd|corp|co|dept|univ|est|jr|sr|mt|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|bzw|usw|ggf|vgl|abb|phd|approx"
)
_TICKER = re.compile(r"\(|[A-Z]{1,5}\.[A-Z]+\b")
_PLACE = re.compile(r",\s+[A-Z][a-z]{1,5}$")
_DATELINE = re.compile(r"\(|-|\u2013|\u2014")
_LETTERS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_OPENER = re.compile(r"\W*(?:The|This|That|These|Those|It|He|She|They|We|You|I|In|On|At|An?|But|And|If|When|As|For)\b")


def sentences(text: str) -> list[str]:
    """The sentences in order, spaces within them made single."""
    found, begin = [], 0
    for match in _END.finditer(text):
        if match["stop"] is None or _ends(text[begin : match.start()], match["stop"], text[match.end() :]):
            found.append(text[begin : match.end()])
            begin = match.end()
    return [" ".join(one.split()) for one in (*found, text[begin:]) if one.strip()]


def lead(text: str, count: int = 1) -> str:
    """The first so many sentences; the whole text where it has fewer. One without a letter goes with the next."""
    kept: list[str] = []
    for sentence in sentences(text):
        kept.append(sentence)
        count -= any(map(str.isalnum, sentence))
        if count <= 0:
            break
    return " ".join(kept)


def _ends(before: str, stop: str, after: str) -> bool:
    """Whether such a stop ends the sentence so far."""
    following = after[:40].lstrip(_OPENING)
    if following[:1].islower():
        return False
    last = _LAST.search(before)
    if stop != "." or last is None:
        return True
    if _DATELINE.match(after) and _PLACE.search(before):  # "GREEN BAY, Wis. - Thanks to", "ALEXANDRIA, Va. (Reuters)"
        return False
    word = last[0].lstrip(_OPENING)
    bare = word.replace(".", "").lower()
    if _BEFORE_A_NAME.fullmatch(bare) or (_SHORT.fullmatch(bare) and not following[:1].isupper()):
        return False
    if _SHORT.fullmatch(bare) and _TICKER.match(after):  # "Starbucks Corp. (SBUX.O)", "Kraft Foods Inc. KFT.N"
        return False
    if word.isdigit():
        return bool(before[: last.start()].strip())  # "1. The first"
    if _LETTERS.fullmatch(word):  # "J. Smith" goes on, "the U.S. The" does not
        return len(word) > 1 and _OPENER.match(following) is not None
    return True
