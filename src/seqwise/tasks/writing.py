"""Prompts and conversations in, what the model writes out; and texts rewritten by an encoder-decoder of the hub."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from seqwise.data import chat, turns
from seqwise.data.conversations import Conversation
from seqwise.data.tokens import Tokenizer
from seqwise.decoding import Generation, Specials, decode
from seqwise.decoding.drafters import Cheaper, Lookup
from seqwise.decoding.drafting import Drafter
from seqwise.decoding.streaming import stream
from seqwise.errors import ConfigError
from seqwise.models.decoder import Decoder
from seqwise.models.transformer import Transformer
from seqwise.models.twin import rounds_alike, twin
from seqwise.tasks.choosing import Translation, chosen
from seqwise.tasks.pretrained import NEW, Opened, fitting, generation, specials

Messages = Sequence[Mapping[str, Any]]
Prompt = str | Messages | Conversation
"""What is asked: a text, messages, or messages with tools."""
ANSWER = 4
"""A summary is left one in so many of the tokens at least, where its text is too long."""
_MARIAN = re.compile(r">>(.+)<<")


@dataclass(frozen=True)
class Manner:
    """How prompts are put to a model."""

    raw: bool = False
    """As they stand, although the checkpoint has a chat template."""
    system: str | None = None
    """What a conversation begins with."""
    cut: bool = False
    """Cut prompts that are too long, rather than refuse them."""
    layout: str = "{text}"
    """What a text becomes before it is put to the model: a task that it was tuned for."""
    turns: bool = False
    """As the first turn of a conversation, where a model without a chat template was tuned on such."""
    rewrites: bool = False
    """Whether texts are put to it that it translates or summarizes. One that is too long is cut at its end: a summary
    is about what stands first, and what is asked stands behind the text."""
    single: bool = False
    """Whether a text with a tab is one text, as labels were learnt of, and not two."""
    longest: int | None = None
    """Tokens of prompt and answer that it was tuned on at most; texts are cut to no more, where they may be."""
    whole: int | None = None
    """Tokens of prompt and output together at most, as a checkpoint may ask; then no settings bound an output."""


def beginning(tokenizer: Tokenizer, text: str, less: int) -> str:
    """A text without the last so many of its tokens, of which one at least is left."""
    ids = tokenizer.encode([text])[0]
    return tokenizer.decode([ids[: max(1, len(ids) - less)]])[0] if less > 0 else text


class Writer:
    """A decoder with its tokenizer: prompts in, continuations out."""

    def __init__(self, opened: Opened, manner: Manner | None = None) -> None:
        if not isinstance(opened.model, Decoder):
            raise TypeError("a writer needs a decoder")
        self.opened, self.model = opened, opened.model
        self.manner = manner or Manner()
        self.tokenizer = opened.words.target
        self.generator: torch.Generator | None = None
        self.drafter: Drafter | None = None
        if self.manner.system is not None and (self.manner.raw or not opened.words.template):
            raise ConfigError(
                "--system" + (" with --raw" if self.manner.raw else f" for {opened.checkpoint.folder.name}"),
                "a checkpoint with a chat template, which says where it goes",
                "writing it into the prompt",
            )

    @property
    def longest(self) -> int:
        """Tokens of a prompt and what is written on it."""
        learnt = self.manner.longest if self.manner.cut else None
        return min(self.opened.longest, learnt or self.opened.longest)

    def prompt(self, asked: Prompt) -> list[int]:
        """The ids of a prompt. A text is what the user says where the checkpoint has a chat template, unless raw."""
        most, whole = min(self.opened.readable, self.longest), self.manner.whole
        if self.manner.cut and whole is not None:  # one token at least is written
            most = min(most, whole - 1)
        ids = self.ids(asked)
        if self.manner.cut and self.manner.rewrites and isinstance(asked, str):
            if len(ids) > most - most // ANSWER:
                self.opened.cut_off()
                ids = self.ids(beginning(self.tokenizer, asked, len(ids) - (most - most // ANSWER)))
        elif self.manner.cut and len(ids) > most:  # the end is what is answered
            self.opened.cut_off(most)
        ids = ids[-most:] if self.manner.cut else fitting(ids, self.opened, False, "a prompt", text=asked)
        if whole is not None and len(ids) >= whole:
            name = self.opened.checkpoint.folder.name
            raise ConfigError(
                f"a prompt of {len(ids):,} tokens",
                f"fewer than {whole:,}, the max_length of {name}, which counts prompt and output together",
                f"--max-length {NEW}, which counts the output alone",
            ).about(asked)
        return ids

    def room(self, prompt: Sequence[int]) -> int:
        """Tokens that may be written on a prompt, besides what the settings say."""
        return max(1, min(self.longest, self.manner.whole or self.longest) - len(prompt))

    def bounded(self, settings: Generation) -> Generation:
        """The same, where an output may be as long as the whole leaves room for."""
        return settings if self.manner.whole is None else replace(settings, max_length=self.manner.whole)

    def ids(self, asked: Prompt) -> list[int]:
        """However many."""
        words, tools = self.opened.words, None
        if isinstance(asked, Conversation):
            tools, asked = asked.tools, asked.messages
        if isinstance(asked, str):
            asked = self.manner.layout.replace("{text}", asked)
        if self.manner.turns and not self.manner.raw and not words.template:
            said = [{"role": "user", "content": asked}] if isinstance(asked, str) else [*asked]
            ids = turns.prompt(words, said)
        elif isinstance(asked, str) and (self.manner.raw or not words.template):
            ids = self.tokenizer.framed([asked])[0].ids
        else:
            if not words.template:
                raise ConfigError(
                    f"messages for {self.opened.checkpoint.folder.name}, which has no chat template",
                    "a checkpoint with one",
                    "a plain text as the prompt",
                )
            said = [{"role": "user", "content": asked}] if isinstance(asked, str) else [*asked]
            if self.manner.system is not None:
                said = [{"role": "system", "content": self.manner.system}, *said]
            ids = chat.encode(
                self.tokenizer,
                words.template,
                said,
                add_generation_prompt=True,
                specials=words.names,
                tools=tools,
                going_on=True,
            )
        return ids or [self.tokenizer.bos]

    def drafts(self, settings: Generation) -> Drafter | None:
        """Who drafts, by these settings; made once, since a copy of the weights takes its time."""
        by = settings.drafting.by
        if by == "auto":
            greedy = settings.temperature == 0.0 and settings.beams == 1
            by = "lookup" if greedy and rounds_alike(self.model) else "none"
        match by:
            case "none":
                self.drafter = None
            case "lookup" if not isinstance(self.drafter, Lookup):
                self.drafter = Lookup.verified_in(self.model.decoder.dtype)
            case "int8" if not isinstance(self.drafter, Cheaper):
                self.drafter = Cheaper(twin(self.model))
        return self.drafter

    def translate(self, texts: Sequence[Prompt], settings: Generation) -> list[list[Translation]]:
        """Continuations of each prompt, best first, in the order given. An empty text gives one empty output."""
        results = [[Translation("", (), None)] for _ in texts]
        full = [i for i, text in enumerate(texts) if not isinstance(text, str) or text.strip()]
        prompts = [self.prompt(texts[i]) for i in full]
        if not prompts:
            return results
        rooms = [self.room(ids) for ids in prompts]
        self.generator = self.generator or torch.Generator(self.opened.device).manual_seed(settings.seed)
        sources, starts = [ids[:-1] for ids in prompts], [ids[-1] for ids in prompts]
        steering = specials(self.opened)
        drafter = self.drafts(settings) if len(prompts) == 1 or settings.batch == 1 else None
        further = (self.opened.device, self.generator, starts, rooms, drafter)
        found = decode(self.model, sources, self.bounded(settings).found, steering, *further)
        for i, hypotheses in zip(full, found, strict=True):
            told = self.tokenizer.decode([h.ids for h in hypotheses])
            made = [Translation(text, h.ids, h.score, h.ended) for text, h in zip(told, hypotheses, strict=True)]
            results[i] = chosen(made, settings)
        return results

    def stream(self, asked: Prompt, settings: Generation) -> Iterator[str]:
        """A continuation, piece by piece as it is written; greedy or sampled, since a beam may change its mind."""
        ids = self.prompt(asked)
        made = self.bounded(settings)
        made = replace(made, max_length=min(made.max_length, self.room(ids)))
        self.generator = self.generator or torch.Generator(self.opened.device).manual_seed(settings.seed)
        further = (self.opened.device, self.generator, self.drafts(settings))
        tokens = stream(self.model, ids, made, specials(self.opened), *further)
        yield from as_text(tokens, self.tokenizer.decode)


def as_text(tokens: Iterator[int], decode_rows: Any) -> Iterator[str]:
    """Text of tokens that arrive one by one: a piece is given out once no later token can change it.

    Only the tokens since the last piece but one are decoded again, since spaces and letters of several bytes depend on
    the token before.
    """
    ids: list[int] = []
    kept, told = 0, 0  # first token of the last piece, and the first one not given out
    for token in tokens:
        ids.append(token)
        before, now = decode_rows([ids[kept:told], ids[kept:]])
        if len(now) > len(before) and not now.endswith("\ufffd"):
            yield now[len(before) :]
            kept, told = told, len(ids)
    if told < len(ids):
        before, now = decode_rows([ids[kept:told], ids[kept:]])
        yield now[len(before) :]


class Rewriter:
    """An encoder-decoder of the hub: texts in, translations or summaries out."""

    def __init__(self, opened: Opened, source: str | None = None, target: str | None = None, cut: bool = False) -> None:
        """source, target: languages, for the families that know several."""
        if not isinstance(opened.model, Transformer):
            raise TypeError("a rewriter needs an encoder-decoder")
        self.opened, self.model = opened, opened.model
        self.cut = cut
        self.settings = generation(opened.checkpoint)
        self.generator: torch.Generator | None = None
        words = opened.words
        self.front = ""
        self.specials: Specials = specials(opened)
        self.language: int | None = None
        self.written: int | None = None
        """The token of the language that is written."""
        self.behind = False
        """Whether languages stand where the first mBART has them."""
        self.ending = 1
        """Tokens that end a text: the end, and the language where the tokenizer has it behind."""
        if words.languages:
            framed = words.source.framed(["a"])[0].ids
            self.ending += framed[-1] in words.languages.values()
            usual = next((token for token in framed if token in words.languages.values()), None)
            self.language = usual if source is None else words.language(source)
            if self.language is None:
                raise _no_language("--source-language", words.languages)
            self.behind = words.behind
            self.written = self._written(target)
        elif target is not None or source is not None:
            self.front = self._code(source, target)

    def _written(self, target: str | None) -> int:
        """Every output begins with its language, or what is written begins behind it."""
        languages, told = self.opened.words.languages, self.specials
        if target is None:
            found = next((token for token in (told.forced, told.start) if token in languages.values()), None)
            if found is None:
                raise _no_language("--target-language", languages)
            return found
        found = self.opened.words.language(target)
        self.specials = replace(told, start=found, forced=None) if self.behind else specials(self.opened, found)
        return found

    def _code(self, source: str | None, target: str | None) -> str:
        """Marian's way to name a language: the first word of the text."""
        known = sorted(match[1] for name in self.opened.words.source.vocabulary() if (match := _MARIAN.fullmatch(name)))
        if source is not None or target not in known:
            given = f"--source-language {source}" if source is not None else f"--target-language {target}"
            allowed = "one of " + ", ".join(known[:20]) if known and source is None else "no such flag here"
            raise ConfigError(f"{given} for {self.opened.checkpoint.folder.name}", allowed, "leaving it out")
        return f">>{target}<< "

    def rows(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids with the special tokens and the language of the checkpoint around them."""
        codes = set(self.opened.words.languages.values())
        found = []
        rows = self.opened.words.source.framed([self.front + text for text in texts])
        for text, framed in zip(texts, rows, strict=True):
            ids = framed.ids
            if self.language is not None:
                there = any(token in codes for token in ids)
                ids = [self.language if token in codes else token for token in ids]
                ids = ids if there else [self.language, *ids]
            found.append(fitting(ids, self.opened, self.cut, "a text", ending=self.ending, text=text))
        return found

    def translate(self, texts: Sequence[str], settings: Generation) -> list[list[Translation]]:
        """Outputs of each text, best first, in the order given. An empty text gives one empty output."""
        results = [[Translation("", (), None)] for _ in texts]
        full = [i for i, text in enumerate(texts) if text.strip()]
        if not full:
            return results
        made = replace(settings, max_length=min(settings.max_length, self.opened.longest))
        self.generator = self.generator or torch.Generator(self.opened.device).manual_seed(settings.seed)
        rows = self.rows([texts[i] for i in full])
        found = decode(self.model, rows, made.found, self.specials, self.opened.device, self.generator)
        for i, hypotheses in zip(full, found, strict=True):
            told = self.opened.words.target.decode([h.ids for h in hypotheses])
            outputs = [
                Translation(text.strip(), h.ids, h.score, h.ended) for text, h in zip(told, hypotheses, strict=True)
            ]
            results[i] = chosen(outputs, made)
        return results


def _no_language(flag: str, known: Mapping[str, int]) -> ConfigError:
    names = sorted(known)
    some = ", ".join(names[:12]) + ", ..." * (len(names) > 12)
    return ConfigError(f"no {flag}", f"one of {len(names)}: {some}", f"{flag} {'fr' if 'fr' in known else names[0]}")
