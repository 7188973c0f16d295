"""What a model says, as lines: one or more for each text, in its order. Plain for people, JSON for programs.

What a checkpoint of the hub is for is told by its head; a run of Seqwise's own translates.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from seqwise.data.conversations import Conversation
from seqwise.data.paired import pair
from seqwise.decoding import Generation
from seqwise.errors import ConfigError, DataError
from seqwise.models.decoder import Decoder
from seqwise.models.encoder import Encoder
from seqwise.models.heads import Labels, NextToken
from seqwise.models.transformer import Transformer
from seqwise.tasks.choosing import Translation
from seqwise.tasks.places import told_of
from seqwise.tasks.pretrained import Opened
from seqwise.tasks.reading import Classifier, Embedder, Filler, Pool, Scored
from seqwise.tasks.writing import Manner, Rewriter, Writer

Answer = Callable[[Sequence[str]], Iterator[str]]
Shows = Literal["texts", "labels", "names", "words", "vectors"]
"""What comes out: of names, which are labels of words, the likeliest alone."""


class Writes(Protocol):
    """A model that writes: a run's translator, or a checkpoint's writer or rewriter."""

    def translate(self, texts: Sequence[Any], settings: Generation) -> list[list[Translation]]:
        """Outputs of each text, best first."""


@dataclass(frozen=True)
class Wanted:
    """What the user wants of the answer."""

    json: bool = False
    """An object a line, with all that is known."""
    top: int = 5
    """Labels or words shown for each."""
    pool: Pool = "auto"
    normalize: bool = True
    messages: bool = False
    """Whether each text is a conversation, in JSON."""
    vectors: bool = False
    """Vectors, whatever the head."""
    pairs: bool = True
    """Whether a tab parts two texts, as on a line; not in the rows of a column."""
    two: str = ""
    """What pairs of texts were asked for by; empty where they were not."""
    steering: tuple[str, ...] = ()
    """Flags that were given and say how the next token is chosen."""

    @classmethod
    def by(cls, flags: Mapping[str, Any], decoding: Sequence[str]) -> "Wanted":
        """What flags say, all of them by name. decoding: those that say how the next token is chosen."""
        named = ("json", "top", "pool", "normalize", "messages", "vectors", "two")
        chosen = [name for name in decoding if flags[name] not in (None, "none") and name != "draft"]  # refused below
        given = tuple("--" + name.replace("_", "-") for name in chosen)
        pairs = not isinstance(flags["column"], str)
        return cls(**{name: flags[name] for name in named}, pairs=pairs, steering=given)

    def must_be_meant(self, shows: Shows, model: str) -> None:
        """Refuse what says how something else is chosen or shown than what this model gives."""
        given = [] if shows == "texts" else [(flag, "a model that writes") for flag in self.steering]
        if shows not in ("labels", "words") and self.top != Wanted.top:
            given.append((f"--top {self.top}", "a model that names labels of a text or fills masks"))
        if shows != "vectors" and self.pool != Wanted.pool:
            given.append((f"--pool {self.pool}", "vectors of an encoder"))
        if shows != "vectors" and not self.normalize:
            given.append(("--no-normalize", "vectors of an encoder"))
        for flag, allowed in given[:1]:
            raise ConfigError(f"{flag} for {model}", allowed, "leaving it out")


def written(model: Writes, settings: Generation, wanted: Wanted) -> Answer:
    """Lines of what a model writes: the text; with several outputs number, score, text."""
    number = 0

    def answer(texts: Sequence[str]) -> Iterator[str]:
        nonlocal number
        asked = [conversation(text) if text.strip() else "" for text in texts] if wanted.messages else texts
        with told_of(texts, asked):
            found = model.translate(asked, settings)
        for outputs in found:
            number += 1
            for one in outputs:
                yield _written(number, one, settings.best > 1, wanted.json)

    return answer


def _written(number: int, one: Translation, several: bool, as_json: bool) -> str:
    if as_json:
        return json.dumps({"item": number, **asdict(one)}, ensure_ascii=False)
    text = " ".join(one.text.splitlines())  # one line, whatever characters the model wrote
    return f"{number}\t{'' if one.score is None else format(one.score, '.4f')}\t{text}" if several else text


def conversation(line: str) -> Conversation:
    """Messages in JSON: a list of them, or an object that holds it as `messages`, and perhaps `tools` beside."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{line[:40]!r}, which is no JSON ({error})",
            'a conversation such as [{"role": "user", "content": "Hello"}]',
            "leaving --messages out, for plain prompts",
        ).about(line) from None
    found, tools = (told.get("messages"), told.get("tools")) if isinstance(told, dict) else (told, None)
    if not isinstance(found, list) or not all(isinstance(message, dict) for message in found):
        raise DataError(
            f"{line[:40]!r}",
            'a list of messages such as [{"role": "user", "content": "Hello"}]',
            "leaving --messages out, for plain prompts",
        ).about(line)
    if tools and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        given = f'"tools": {json.dumps(tools, ensure_ascii=False)[:40]}'
        raise DataError(given, "a list of tools, each an object", "leaving tools out").about(line)
    return Conversation(tuple(found), tools=tuple(tools) if tools else None)


def _scored(found: Sequence[Scored]) -> list[dict[str, object]]:
    return [asdict(one) for one in found]


def labelled(model: Classifier, wanted: Wanted) -> Answer:
    """Lines of labels: the likeliest and its probability, and the next ones behind it."""

    def answer(texts: Sequence[str]) -> Iterator[str]:
        full = [text for text in texts if text.strip()]
        found = iter(model.classify([pair(text) for text in full] if wanted.pairs else full))
        for text in texts:
            ranked = next(found)[: wanted.top] if text.strip() else []
            if wanted.json:
                yield json.dumps({"text": text, "labels": _scored(ranked)}, ensure_ascii=False)
            else:
                yield "\t".join(f"{' '.join(one.name.split())}\t{one.probability:.4f}" for one in ranked)

    return answer


def words_labelled(model: Classifier, wanted: Wanted) -> Answer:
    """Lines of words, each with a slash and its label."""

    def answer(texts: Sequence[str]) -> Iterator[str]:
        for text, words in zip(texts, model.label_words(list(texts)), strict=True):
            if wanted.json:
                yield json.dumps({"text": text, "words": [asdict(word) for word in words]}, ensure_ascii=False)
            else:
                yield " ".join(f"{word.word}/{word.label.name}" for word in words)

    return answer


def filled(model: Filler, wanted: Wanted) -> Answer:
    """Lines of what may stand behind each mask, likeliest first; masks are parted by a bar."""

    def answer(texts: Sequence[str]) -> Iterator[str]:
        for text, masks in zip(texts, model.fill(list(texts), wanted.top), strict=True):
            if wanted.json:
                yield json.dumps({"text": text, "masks": [_scored(one) for one in masks]}, ensure_ascii=False)
            else:
                rows = ("  ".join(f"{one.name.strip('▁')} {one.probability:.3f}" for one in row) for row in masks)
                yield " | ".join(rows)

    return answer


def embedded(model: Embedder, wanted: Wanted) -> Answer:
    """Lines of numbers."""

    def answer(texts: Sequence[str]) -> Iterator[str]:
        full = [text for text in texts if text.strip()]
        rows = iter(model.vectors(full, wanted.pool, wanted.normalize).tolist())
        for text in texts:
            numbers = [round(value, 7) for value in next(rows)] if text.strip() else []
            told = json.dumps({"text": text, "vector": numbers}, ensure_ascii=False)
            yield told if wanted.json else " ".join(map(str, numbers))

    return answer


def of_checkpoint(
    opened: Opened, settings: Generation, wanted: Wanted, manner: Manner, languages: tuple[str | None, str | None]
) -> tuple[Answer, Writer | None]:
    """What the checkpoint does with texts, by its head; and the writer, where it can be listened to."""
    _only_where_meant(opened, wanted, languages)
    head, task = opened.model.head, opened.checkpoint.head.task
    wanted.must_be_meant(_shown(opened, wanted), opened.checkpoint.architecture)
    if wanted.two and (task != "labels" or wanted.vectors):
        raise single_texts(wanted.two, opened.checkpoint.architecture)
    if wanted.two and manner.single:
        raise single_texts(wanted.two, "a run that was tuned on single texts")
    if settings.drafting.asked and not (isinstance(opened.model, Decoder) and isinstance(head, NextToken)):
        given = f"drafts by {settings.drafting.by} for {opened.checkpoint.architecture}"
        raise ConfigError(given, "a decoder that writes", "--draft none")
    if isinstance(opened.model, Transformer):
        return written(Rewriter(opened, *languages, manner.cut), settings, wanted), None
    if wanted.vectors or head is None:
        return embedded(Embedder(opened, manner.cut), wanted), None
    if isinstance(head, Labels):
        classifier = Classifier(opened, manner.cut, manner.single)
        return (words_labelled if task == "token labels" else labelled)(classifier, wanted), None
    if task == "masked" and isinstance(head, NextToken):
        return filled(Filler(opened), wanted), None
    writer = Writer(opened, manner)
    writer.drafts(settings)  # what cannot be is refused before anything is read
    return written(writer, settings, wanted), writer


def _shown(opened: Opened, wanted: Wanted) -> Shows:
    """What comes out, by the head and by what was asked for."""
    if isinstance(opened.model, Encoder) and (wanted.vectors or opened.model.head is None):
        return "vectors"
    shown: dict[str, Shows] = {"labels": "labels", "token labels": "names", "masked": "words"}
    return shown.get(opened.checkpoint.head.task, "texts")


def single_texts(given: str, model: str) -> ConfigError:
    """For models that read one text at a time."""
    return ConfigError(f"{given} for {model}", "a model that names labels of pairs of texts", "one text")


def _only_where_meant(opened: Opened, wanted: Wanted, languages: tuple[str | None, str | None]) -> None:
    """Flags that mean nothing to this kind of model."""
    for flag, value in zip(("--source-language", "--target-language"), languages, strict=True):
        if value is not None and not isinstance(opened.model, Transformer):
            raise ConfigError(
                f"{flag} for {opened.checkpoint.architecture}", "a model that translates", "leaving it out"
            )
    if wanted.vectors and not isinstance(opened.model, Encoder):
        raise ConfigError(f"--vectors for {opened.checkpoint.architecture}", "an encoder", "leaving it out")
    if wanted.messages and not (isinstance(opened.model, Decoder) and opened.checkpoint.head.task == "tokens"):
        raise ConfigError(f"--messages for {opened.checkpoint.architecture}", "a model that writes", "leaving it out")
