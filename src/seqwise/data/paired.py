"""Two texts that are judged together, such as a premise and a hypothesis, or a question and its answer.

    joined(first, second) -> text     with a tab between them, as on a line of a plain file
    pair(text)                        the inverse; a text without a tab stays one
    sides(text)                       both texts, or the one
    named(columns)                    which two columns of a table hold such, by their usual names
    spelt(name, columns)              a name as a table has it, which may write it in capitals

So a pair is one text wherever texts are counted, compared and shown, and two where a model reads them. Whether a tab
parts two texts or is a letter like any other, whoever read the file knows (`Labelled.parted`).
"""

from collections.abc import Sequence

from seqwise.errors import DataError

Text = str | tuple[str, str]

TAB = "\t"
NAMES = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
    ("query", "passage"),
    ("query", "document"),
    ("claim", "evidence"),
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("text", "text_pair"),
    ("sentence_a", "sentence_b"),
)
"""As the data of GLUE, SNLI, PAWS, BoolQ, FEVER and SICK, and those who write their own, call them, in any case."""
LABELS = ("label", "gold_label", "labels", "is_duplicate", "entailment_label")
"""What a label beside them is called; of several the first that is there."""


def joined(first: str, second: str) -> str:
    """Both as one text. A tab within the first becomes a space, since it would part the two elsewhere."""
    return f"{first.replace(TAB, ' ')}{TAB}{second}"


def pair(text: str) -> Text:
    """Two texts with a tab between them, as on a line of premise and hypothesis."""
    first, tab, second = text.partition(TAB)
    return (first, second) if tab else text


def whole(texts: Sequence[Text]) -> list[str]:
    """Each as one text again."""
    return [text if isinstance(text, str) else joined(*text) for text in texts]


def sides(text: str) -> tuple[str, ...]:
    """The texts of which it consists: two, or one."""
    return tuple(text.split(TAB, 1))


def spelt(name: str, columns: Sequence[str]) -> str | None:
    """The column of this name, or the only one that has it in another case."""
    if name in columns:
        return name
    alike = [column for column in columns if column.lower() == name.lower()]
    return alike[0] if len(alike) == 1 else None


def named(columns: Sequence[str]) -> list[tuple[str, str]]:
    """All two columns that hold a pair by such names, as they are spelt."""
    found = [(spelt(first, columns), spelt(second, columns)) for first, second in NAMES]
    return [(first, second) for first, second in found if first is not None and second is not None]


def several(found: Sequence[tuple[str, str]], where: str) -> DataError:
    """It could be others."""
    given = " and ".join(f"{first} with {second}" for first, second in found[:2])
    first, second = found[0]
    return DataError(
        f"two pairs of texts among the columns, {given}",
        "to be told which two are meant",
        f"--data.text {first} --data.text {second}",
        where,
    )
