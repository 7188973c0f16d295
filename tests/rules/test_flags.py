"""Flags that a text names are flags that its command knows: of fine-tuning, whose rooms serve several verbs."""

import ast
import inspect
import re
from functools import cache
from importlib import import_module

import pytest

from seqwise.config import describe
from seqwise.tasks import Train
from seqwise.tasks.tuning import Tune

ROOM = "tasks/tuning"
ASKED_BY = {
    "blending": "blend",
    "trading": "blend",
    "adapting": "predict",
    "judging": "evaluate",
    "handing_on": "export",
}
"""Whose flags a file speaks of, where it is not `seqwise tune` itself."""
FLAG = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?![\w.\x00-]*\x00)")
VERB = re.compile(r"seqwise (\w+)")
HELD = "\x00"  # stands for what an f-string puts in


@cache
def flags(verb):
    """All that a command takes."""
    if verb in ("tune", "plan", "check", "train"):
        kind = Train if verb == "train" else Tune
        return tuple(setting.name.replace("_", "-") for setting in describe(kind))
    function = getattr(import_module(f"seqwise.verbs.{verb}"), verb)
    return tuple(name.replace("_", "-") for name in inspect.signature(function).parameters)


def means(flag, verb):
    """The settings that a flag may mean: its full name, or the end of one."""
    known = flags(verb)
    for name in (flag, flag.removeprefix("no-")):
        found = [name] if name in known else [one for one in known if one.endswith(f".{name}")]
        if found:
            return found
    return []


def texts(tree):
    """Each text of a file but docstrings and the names of readers' flags, with where it stands."""
    kept_out = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            kept_out.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            kept_out |= {id(part) for part in node.values}
            parts = [part.value if isinstance(part, ast.Constant) else HELD for part in node.values]
            yield node, "".join(map(str, parts))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in kept_out:
            yield node, node.value


def named(text, usual):
    """Each flag with the command that it belongs to: the one that stands before it, else the usual one."""
    for found in FLAG.finditer(text):
        verbs = VERB.findall(text[: found.start()])
        yield found[1].rstrip("."), verbs[-1] if verbs else usual


def test_every_flag_that_fine_tuning_names_is_one_that_its_command_knows(modules):
    seen, wrong = 0, []
    for module in modules:
        if ROOM not in module.path.as_posix():
            continue
        for node, text in texts(module.tree):
            for flag, verb in named(text, ASKED_BY.get(module.path.stem, "tune")):
                seen += 1
                if len(means(flag, verb)) != 1:
                    wrong.append(f"{module.at(node)}: --{flag} of {verb}: {means(flag, verb) or 'unknown'}")
    assert seen > 50
    assert wrong == []


@pytest.mark.parametrize("name", ["--data.max-len", "--seed", "--epoch"])
def test_a_flag_that_is_none_or_means_several_would_be_found(name):
    ((flag, verb),) = named(f"leaving it out with {name} 3", "tune")
    assert len(means(flag, verb)) != 1


def test_flags_of_another_command_are_looked_up_there():
    assert [*named("bringing it back, or seqwise export RUN --to merged", "tune")] == [("to", "export")]
    assert means("to", "export") == ["to"]
    assert [*named("--examples.\x00 with --task \x00", "tune")] == [("task", "tune")]
