"""What all trials of a table have in common, by name: their settings, what is asked, the content of their files and of
the weights that they begin with.

    signature    as the head of a table has it today
    older        what a table of an older version would have in its head today

Each setting stands there by itself, one at its default with a mark (`ledger.DEFAULT`), so that a table goes on when a
later version has settings more or fewer, all at their defaults, and is refused by the name of whatever else changed.
The value is written out beside the mark: a default that a later version changes is a change.

Older versions wrote one hash of all settings, which says nothing of a single one. There the settings of each finished
trial decide, which lie in its folder (`trial.SETTINGS`), what they lack being at its default; where they are gone, the
hash. They wrote nothing of the weights of the base either, which their runs did.

Left out: what a trial sets by itself, such as its seed, and what changes no result, such as where it runs; weights of a
name on the hub, of which the revision stands for them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.run import RunFolder
from seqwise.config import describe, resolve, to_yaml
from seqwise.errors import CheckpointError, ConfigError
from seqwise.tasks.tuning.bases import fingerprint_of
from seqwise.tasks.tuning.settings import Tune
from seqwise.tasks.tuning.stored import read_facts
from seqwise.verbs.weighing.trial import FREE, RUN, SETTINGS, Recipe, planned
from seqwise.verdict.ledger import DEFAULT, FOLDERS
from seqwise.verdict.trials import Row

SETTING = "setting "
ASKED = "asked"
WHOLE = "settings"
"""What an older version called the hash of all."""
BASE = "base "
OWN = "training.seed"
"""The setting that a trial sets, beside those that change no result."""


def signature(recipe: Recipe) -> dict[str, str]:
    """What no two rows of a table may differ in."""
    return _settings(recipe.settings) | _base(recipe.settings) | _asked(recipe)


def older(recipe: Recipe, folder: Path, head: Mapping[str, str], rows: Sequence[Row]) -> Mapping[str, str]:
    """The head of a table in the form of today; one of today as it is. folder: where the table lies."""
    if head.get(ASKED) == _asked_then(recipe):
        head = {**head, ASKED: _asked_now(recipe)}
    if not any(name.startswith(BASE) for name in head):
        head = {**head, **_base_then(recipe.settings, folder, rows)}
    if WHOLE not in head:
        return head
    rest = {name: mark for name, mark in head.items() if name != WHOLE}
    now = _settings(recipe.settings)
    same, then = head[WHOLE] == _hashed(recipe.settings), dict(now)
    for row in rows:
        if not row.measured:  # it is run again
            continue
        place = folder / FOLDERS / row.trial.name
        try:
            was = _told(resolve(Tune, place / SETTINGS, ()))
        except ConfigError:
            if same:
                continue
            return {**now, **head}  # nobody knows: the hash alone differs
        here = _told(planned(recipe, row.trial, place))
        if row.trial.fraction < 1:  # a part of them, whose content is told apart by that of the whole
            here, was = ({**one, f"{SETTING}train": ""} for one in (here, was))
        changed = {name for name in (*here, *was) if was.get(name) != here.get(name)}
        then = {name: value for name, value in then.items() if name not in changed}
        then |= {name: was[name] for name in changed if name in was}
    return then | rest


def _base(settings: Tune) -> dict[str, str]:
    """The weights of a base that lies here, by the names of their files."""
    return _marks(fingerprint_of(settings)) if Path(settings.base).is_dir() else {}


def _base_then(settings: Tune, folder: Path, rows: Sequence[Row]) -> Mapping[str, str]:
    """The same of a table that says nothing of it: as its runs tell, else as it is now."""
    now = _base(settings)
    for row in rows if now else ():
        try:
            then = _marks(read_facts(RunFolder(folder / FOLDERS / row.trial.name / RUN)).hashes)
        except CheckpointError:
            continue
        if then != now:
            return then
    return now


def _marks(hashes: Mapping[str, str]) -> dict[str, str]:
    return {f"{BASE}{name}": mark[:16] for name, mark in hashes.items()}


def _settings(settings: Tune) -> dict[str, str]:
    """Of all trials; the method only as far as a learning rate was chosen for it."""
    told = _told(settings)
    if settings.optimizer.rate is None:
        told.pop(f"{SETTING}method")
    return told


def _told(settings: Tune) -> dict[str, str]:
    """Each setting that minds, marked where it is at its default."""
    usual = _defaults()
    return {
        f"{SETTING}{name}": f"{json.dumps(value)}{DEFAULT if name in usual and usual[name] == value else ''}"
        for name, value in _flat(yaml.safe_load(to_yaml(settings)), "")
        if name not in (*FREE, OWN)
    }


def _flat(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Dotted names with their values; a section that may be left out tells by itself that it is there."""
    for name, value in table.items():
        if isinstance(value, dict):
            if f"{prefix}{name}" in _defaults():
                yield f"{prefix}{name}", "given"
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@cache
def _defaults() -> Mapping[str, Any]:
    """By dotted name; of sections that may be left out also that they are."""
    top = {name: value for name, value in yaml.safe_load(to_yaml(Tune())).items() if not isinstance(value, dict)}
    return top | {row.name: yaml.safe_load(row.default) for row in describe(Tune) if not row.required}


def _asked(recipe: Recipe) -> dict[str, str]:
    """How trials are scored, and the files by their names, wherever they lie now; several of one name together."""
    settings = recipe.settings
    files = [*settings.train, *settings.valid, *settings.guard.replay, *recipe.test]
    files += [path for _, paths in recipe.general for path in paths]
    told: dict[str, str] = {}
    for path in map(Path, dict.fromkeys(files)):
        if path.is_file():
            told[path.name] = "+".join(filter(None, (told.get(path.name), hash_file(path)[:16])))
    marks = {f"data {name}": mark for name, mark in told.items()}
    return {ASKED: _asked_now(recipe)} | marks


def _asked_now(recipe: Recipe) -> str:
    """The flags that scores depend on, to be named where they differ."""
    general = " ".join(",".join(paths) for _, paths in recipe.general)
    return f"--metric {recipe.metric} --general {general or 'none'} --group-by {recipe.cluster or 'none'}"


def _asked_then(recipe: Recipe) -> str:
    """The same in older tables."""
    return sha256(f"{recipe.metric} {recipe.cluster} {recipe.general}".encode()).hexdigest()[:16]


def _hashed(settings: Tune) -> str:
    """The hash of all, as it was written before each setting stood by itself."""
    plain = replace(
        settings, method="full", out="", resume=False, overwrite=False, optimizer=replace(settings.optimizer, rate=None)
    )
    plain = replace(plain, training=replace(plain.training, seed=0, device="auto"))
    return sha256(to_yaml(plain).encode()).hexdigest()[:16]
