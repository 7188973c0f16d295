"""What the README and the docs tell the reader to type works, and the tree they show is the real one."""

import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import wraps
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from seqwise.cli import main
from seqwise.verbs import VERBS, Verb

CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
LONG = ("demo",)
"""Verbs that take minutes: their words are read as strictly as others', but they are not run."""
SHORT = ["--training.steps", "2", "--model.width", "32", "--tokens.size", "300", "--training.time-limit", "1m"]
"""Added to what the reader is told to train, so that it ends in seconds. The last of a flag counts."""


def commands(page: Path) -> list[str]:
    """The lines after `$` in the console blocks of a page."""
    blocks = CONSOLE.findall(page.read_text())
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def words_of(command: str) -> list[list[str]]:
    """The words after `seqwise` in a line of the shell, for each part of a pipe that has it."""
    found = []
    for part in re.split(r"\s[|;]\s", command):
        words = shlex.split(re.sub(r"\s[<>]\s*\S+", "", part))
        if words[0] == "torchrun":
            words = words[words.index("-m") + 1 :]
        if words[0] == "seqwise":
            found.append(words[1:])
    return found


def _only_read(verb: Verb) -> Verb:
    """The verb with its signature and without its work; so are its parts."""
    parts = tuple(map(_only_read, verb.parts))
    if not verb.alone:
        return replace(verb, parts=parts)
    function = getattr(import_module(verb.module), verb.function)

    @wraps(function)
    def idle(*_, **__):
        return None

    module = ModuleType(f"idle_{verb.module.replace('.', '_')}")
    setattr(module, verb.function, idle)
    sys.modules[module.__name__] = module
    return replace(verb, place=f"{module.__name__}:{verb.function}", parts=parts)


@pytest.fixture(scope="module")
def idle():
    """All verbs, ready to read words and do nothing."""
    return [_only_read(verb) for verb in VERBS]


def test_the_readers_of_commands_are_strict(idle, capsys):
    """Otherwise the next tests would pass on anything."""
    assert main(["predict", "runs/demo", "text", "--beams", "4"], idle) == 0
    assert main(["predict", "runs/demo", "text", "--beems", "4"], idle) == 2
    assert main(["predict"], idle) == 2
    assert main(["train", "--train", "a", "b", "--model.widht", "4"], idle) == 2
    assert main(["train", "--train", "a", "b", "--model.width", "many"], idle) == 2
    assert main(["trian"], idle) == 2


def test_every_command_of_every_page_is_understood(pages, root, idle, monkeypatch, tmp_path, capsys):
    """Verbs, flags and values exist, also in the commands that are not run here."""
    monkeypatch.chdir(tmp_path)
    for made in ("translator.yaml", "lstm.yaml", "runs/en-fr/config.yaml"):  # files that other commands make
        Path(made).parent.mkdir(parents=True, exist_ok=True)
        Path(made).write_text("")
    (tmp_path / "examples").symlink_to(root / "examples")
    refused = {}
    for page in pages:
        for command in commands(page):
            for words in words_of(command):
                if main(words, idle) != 0:
                    refused[f"{page.relative_to(root)}: {command}"] = capsys.readouterr().err.strip()
    assert refused == {}


def test_every_make_word_of_every_page_exists(pages, root):
    known = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text(), re.MULTILINE))
    told = {
        word
        for page in pages
        for line in commands(page)
        if line.startswith("make ")
        for word in shlex.split(line)[1:]
        if "=" not in word
    }
    assert told <= known


def test_make_help_lists_every_word(root):
    makefile = (root / "Makefile").read_text()
    words = set(re.search(r"^\.PHONY: (help .*)$", makefile, re.MULTILINE)[1].split())
    shown = subprocess.run(["make", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+) ", shown, re.MULTILINE)) == words


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A folder with the files that the README speaks of: short sentences, none of them in two files."""
    folder = tmp_path_factory.mktemp("readme")
    english, french = ["one", "two", "three", "four", "five"], ["un", "deux", "trois", "quatre", "cinq"]
    nouns = [("cat", "chat"), ("dog", "chien"), ("book", "livre"), ("tree", "arbre"), ("bird", "oiseau")]
    places = [("here", "ici"), ("there", "là"), ("at home", "à la maison"), ("in town", "en ville")]
    pairs = [
        (f"{english[n]} {noun[0]} is {place[0]}.", f"{french[n]} {noun[1]} est {place[1]}.")
        for n in range(5)
        for noun in nouns
        for place in places
    ]
    parts = {"train": pairs[:80], "valid": pairs[80:90], "test": pairs[90:]}
    for name, chosen in parts.items():
        for side, language in enumerate(("en", "fr")):
            (folder / f"{name}.{language}").write_text("".join(pair[side] + "\n" for pair in chosen))
    random = np.random.default_rng(1)
    close = np.round(100 + random.normal(size=120).cumsum(), 2)
    days = np.busday_offset("2024-01-01", np.arange(120), roll="forward")
    rows = [f"{day},{price}\n" for day, price in zip(days, close, strict=True)]
    (folder / "prices.csv").write_text("date,close\n" + "".join(rows))
    scores = [f"{group},{score:.1f}\n" for group in ("morning", "evening") for score in random.normal(60, 8, 25)]
    (folder / "scores.csv").write_text("class,score\n" + "".join(scores))
    return folder


MADE = re.compile(r"(?:--out|>)\s+(\S+)")
"""What a command makes that others may need."""


def waits_for(command: str, earlier: list[str]) -> list[int]:
    """Which commands before it make what it names; all of them, for one that names nothing: it looks around."""
    if re.fullmatch(r"seqwise \w+", command):
        return list(range(len(earlier)))
    return [i for i, other in enumerate(earlier) for made in MADE.findall(other) if made in command]


def test_the_commands_of_the_readme_run(root, corpus):
    """In one folder, two at a time, in the order of the page where one makes what the next one uses."""
    scripts = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    told = [(line, {words[0] for words in words_of(line)}) for line in commands(root / "README.md")]
    told = [(line, verbs) for line, verbs in told if verbs and not verbs & set(LONG)]
    lines = [line for line, _ in told]

    def run(place: int, before: list[Future[None]]) -> None:
        wait(before)
        command, verbs = told[place]
        short = shlex.join(["--training.steps", "2"] if "train forecast" in command else SHORT)
        typed = f"{command} {short}" if "train" in verbs else command
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", typed], cwd=corpus, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    with ThreadPoolExecutor(2) as pool:  # taken in order, so that what is waited for has begun
        running: list[Future[None]] = []
        for place, command in enumerate(lines):
            running.append(pool.submit(run, place, [running[i] for i in waits_for(command, lines[:place])]))
    for one in running:
        one.result()
    for made in ("runs/en-fr/model.safetensors", "test.out", "translator.yaml", "seqwise.schema.json"):
        assert (corpus / made).stat().st_size > 0
    assert len((corpus / "test.out").read_text().splitlines()) == len((corpus / "test.en").read_text().splitlines())


def test_each_verb_has_a_section_in_the_readme(root):
    sections = set(re.findall(r"^## (\w+)$", (root / "README.md").read_text(), re.MULTILINE))
    assert {verb.name for verb in VERBS} - {"demo"} <= sections  # the demo opens the page


def test_the_tree_in_the_readme_is_the_real_one(root, files):
    """A line for each folder of the project and for each room of the package, and none for what is not there."""
    tree = re.search(r"<!-- tree -->\n```text\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)[1]
    lines = [line for line in tree.splitlines() if line.strip()]
    drawn = {line.split()[0] for line in lines if not line.startswith(" ")}
    rooms = {line.split()[0] for line in lines if line.startswith(" ")}
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines), "a line without words"
    package = Path("src", "seqwise")
    paths = [path.relative_to(root) for path in files]
    folders = {f"{path.parts[0]}/" for path in paths if len(path.parts) > 1 and not path.parts[0].startswith(".")}
    assert drawn == folders - {"src/"} | {"src/seqwise/"}
    inside = [path.relative_to(package) for path in paths if path.is_relative_to(package) and path.suffix == ".py"]
    real = {f"{path.parts[0]}/" if len(path.parts) > 1 else path.name for path in inside}
    assert rooms == real - {"__init__.py", "__main__.py"}


def test_the_demo_shows_its_real_output(root):
    """What a new user will see is pasted from a run, so an empty block is a fault."""
    shown = re.search(r"<!-- demo -->\n```text\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert "machine learning" in shown[1]
