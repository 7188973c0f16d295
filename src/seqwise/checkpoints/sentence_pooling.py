"""How a checkpoint of sentence vectors reads texts and pools them: the small files of sentence-transformers.

    modules.json                         what a text goes through
    1_Pooling/config.json                how one vector is made of many
    sentence_bert_config.json            tokens that are read at most, and whether capitals are
    config_sentence_transformers.json    what stands before a text unless told otherwise

None of these has to be there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from seqwise.errors import CheckpointError

PLACE = Path("1_Pooling") / "config.json"
MODULES = "modules.json"
READING, PROMPTS = "sentence_bert_config.json", "config_sentence_transformers.json"
KNOWN = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True)
class Reading:
    """What becomes of a text before it is pooled."""

    prompt: str = ""
    """What stands before each text: the prompt that the folder calls the default, of those that it names."""
    longest: int | None = None
    """Tokens that are read at most, which may be fewer than there are positions."""
    lowered: bool = False
    """Whether all letters are made small."""

    def text(self, text: str) -> str:
        """As the model reads it."""
        text = self.prompt + text
        return text.lower() if self.lowered else text


def reading(folder: Path) -> Reading:
    """As the folder says; nothing of it has to be there."""
    asked, told = _object(folder / PROMPTS), _object(folder / READING)
    prompts, longest = asked.get("prompts"), told.get("max_seq_length")
    named = asked.get("default_prompt_name")
    prompt = prompts.get(named) if isinstance(prompts, Mapping) and isinstance(named, str) else None
    prompt = prompt if isinstance(prompt, str) else ""
    if prompt and _object(folder / PLACE).get("include_prompt") is False:
        raise CheckpointError(
            given=f"sentence vectors without the tokens of their prompt {prompt!r}",
            allowed="a mean over all tokens, or the first one's vector",
            mend=f"include_prompt true in {PLACE}, for a mean over the prompt too",
            where=str(folder),
        )
    sized = isinstance(longest, int) and not isinstance(longest, bool) and longest > 0
    return Reading(prompt, longest if sized else None, told.get("do_lower_case") is True)


def _object(path: Path) -> dict[str, Any]:
    """What a file says; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as JSON ({error})",
            allowed="how a sentence encoder reads and pools",
            mend="downloading it again, or --pool mean",
            where=str(path),
        ) from None
    return found


def _only_pooled(path: Path) -> None:
    """Refuse a folder whose vectors go through more than pooling."""
    if not path.is_file():
        return
    try:
        kinds = [str(module["type"]).rpartition(".")[2] for module in json.loads(path.read_text("utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            given=f"a file that cannot be read as a list of modules ({error})",
            allowed="the modules of a sentence encoder",
            mend="downloading it again, or --pool mean",
            where=str(path),
        ) from None
    other = [kind for kind in kinds if kind not in KNOWN]
    if other:
        raise CheckpointError(
            given=f"sentence vectors that go through a module {other[0]}",
            allowed=", ".join(KNOWN),
            mend="--pool mean or --pool first, for the encoder's own vectors",
            where=str(path),
        )


def read(folder: Path) -> Literal["mean", "first"]:
    """The mean unless the folder says otherwise."""
    _only_pooled(folder / MODULES)
    path = folder / PLACE
    told = _object(path)
    chosen = [name for name, on in told.items() if name.startswith("pooling_mode_") and on is True]
    mode = told.get("pooling_mode")
    chosen += [f"pooling_mode_{mode}"] if isinstance(mode, str) else []
    known: dict[str, Literal["mean", "first"]] = {
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_mean": "mean",
        "pooling_mode_cls_token": "first",
        "pooling_mode_cls": "first",
    }
    found = {known.get(name) for name in chosen} or {"mean"}
    (how, *more) = found
    if how is None or more:
        raise CheckpointError(
            given=f"pooling by {', '.join(chosen)}",
            allowed="the mean of the tokens or the first one's vector",
            mend="--pool mean or --pool first",
            where=str(path),
        )
    return how
