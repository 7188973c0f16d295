"""A model card for the Hugging Face Hub that carries the verdict: front matter that the Hub reads, then the text.

The scores stand in `model-index` as https://github.com/huggingface/hub-docs/blob/main/modelcard.md has it: task,
dataset and metrics of each result. `verified` is not set: that word is for what the Hub measured itself.

Left out: what nobody told, such as a license; it is not guessed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from seqwise.errors import DataError
from seqwise.reports import answers
from seqwise.reports.markdown import markdown, plain
from seqwise.verdict.findings import Finding
from seqwise.verdict.verdict import Verdict

TAGS = ("seqwise",)


@dataclass(frozen=True)
class About:
    """What the card must be told of the model."""

    name: str
    task: str = ""
    """As the Hub calls it: translation, text-classification, fill-mask, ...; empty: not known, and then no scores stand
    in the front matter, where each needs one."""
    system: str = ""
    """Which of the systems that were weighed the card is of; empty: the first."""
    base: str = ""
    """The Hub's name of the model that was tuned."""
    license: str = ""
    """The Hub's word for it, such as apache-2.0."""
    languages: tuple[str, ...] = ()
    """As ISO 639 codes."""
    tags: tuple[str, ...] = ()
    datasets: Mapping[str, str] = field(default_factory=dict)
    """The Hub's name of each set by its name in the verdict, where it has one."""


def card(verdict: Verdict, about: About) -> str:
    """The whole README.md."""
    system = about.system or verdict.tuned[0]
    if system not in verdict.tuned:
        raise DataError(f"a card of {system!r}", f"one of {', '.join(verdict.tuned)}", "a system that was weighed")
    front: dict[str, Any] = {}
    if about.languages:
        front["language"] = list(about.languages)
    if about.license:
        front["license"] = about.license
    if about.base:
        front["base_model"] = about.base
    if about.task:
        front["pipeline_tag"] = about.task
    front["tags"] = list(dict.fromkeys((*TAGS, *about.tags)))
    if named := list(dict.fromkeys(about.datasets.values())):
        front["datasets"] = named
    if about.task and (results := _results(verdict, about, system)):
        front["model-index"] = [{"name": about.name, "results": results}]
    told = yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=10_000)
    origin = f"tuned from {about.base} and weighed against it" if about.base else f"weighed against {verdict.base}"
    opening = f"{system}, {origin} by Seqwise."
    parts = (f"---\n{told}---", f"# {plain(about.name)}", plain(opening), "## Verdict", markdown(verdict))
    return "\n\n".join(parts)


def _results(verdict: Verdict, about: About, system: str) -> list[dict[str, Any]]:
    """One for each set with a score, whose metrics may be several."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for one in verdict.findings:
        pair = answers.scores(one)
        scored = one.question in ("gain", "generalization") and one.state == "MEASURED" and one.system == system
        if pair is None or not scored:
            continue
        measure = _measure(one, verdict.measure)
        metric = {"type": slug(measure), "name": measure, "value": round(pair[1], 6)}
        metrics = sets.setdefault(one.subject, [])
        if metric not in metrics:
            metrics.append(metric)
    return [
        {
            "task": {"type": about.task},
            "dataset": {"name": part, "type": about.datasets.get(part) or slug(part)},
            "metrics": _told_apart(metrics),
        }
        for part, metrics in sets.items()
    ]


def _measure(one: Finding, usual: str) -> str:
    """What the scores of a finding are scores of."""
    named = one.values.get("measure")
    return named if isinstance(named, str) and named else usual


def _told_apart(metrics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of each name: the first."""
    return list({metric["name"]: metric for metric in reversed(metrics)}.values())[::-1]


def slug(name: str) -> str:
    """A name as an identifier: chrF becomes chrf, F1 (macro) becomes f1_macro."""
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_") or "unnamed"
