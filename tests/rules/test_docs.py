"""The docs stand: generated parts are fresh, links lead somewhere, versions agree, and nothing names a machine."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import pytest

from seqwise.config import describe
from seqwise.tasks import Train
from seqwise.tasks.forecasting import Forecast
from seqwise.tasks.tuning import Tune
from seqwise.verbs import VERBS

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
TEXT = {".md", ".py", ".toml", ".yml", ".yaml", ".txt", ".cfg", ".json", ".sh", ""}
ELSEWHERE = re.compile(r"""(?:^|[\s"'`(=])/(?:home|root|work|Users|mnt)/""", re.MULTILINE)
"""A path that exists on one machine only."""


def _prose(page):
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text())


def test_the_generated_parts_are_fresh(root):
    """Help of each command, and all settings, stand in the docs as the code has them now."""
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, f"stale, run `make fix`: {done.stdout.split()} {done.stderr}"


def test_only_the_marked_places_are_rewritten(generate, monkeypatch):
    monkeypatch.setattr(generate, "content", str.upper)
    page = "by hand\n<!-- generated: settings -->\nold\n<!-- end -->\nby hand <!-- end -->\n"
    assert generate.renewed(page) == page.replace("old", "SETTINGS")
    assert generate.renewed("<!-- generated: settings -->\n<!-- end -->").count("SETTINGS") == 1


def test_a_cell_of_a_table_keeps_its_text(generate):
    assert generate._cell("a | b, 2 * 3 * 4, `x_y | z`, <s>") == "a \\| b, 2 \\* 3 \\* 4, `x_y \\| z`, \\<s>"


@pytest.mark.parametrize(
    ("page", "settings"),
    [("settings.md", Train), ("settings-tune.md", Tune), ("settings-forecast.md", Forecast)],
)
def test_the_page_of_settings_has_every_setting(root, page, settings):
    text = (root / "docs" / page).read_text()
    names = [setting.name.replace("_", "-") for setting in describe(settings)]
    assert [name for name in names if f"| `--{name}` |" not in text] == []


def test_every_verb_has_its_page_with_its_help(root):
    pages = {page.stem: page.read_text() for page in (root / "docs" / "verbs").glob("*.md")}
    called = {verb.name: [verb.name] for verb in VERBS}  # page -> commands whose help it has
    for verb in VERBS:
        for part in verb.parts:
            page = f"{verb.name}-{part.name}" if verb.alone else verb.name
            called.setdefault(page, []).append(f"{verb.name} {part.name}")
    assert pages.keys() == called.keys()
    for page, commands in called.items():
        for command in commands:
            assert f"<!-- generated: seqwise {command} --help -->" in pages[page]
            assert f"Usage: seqwise {command}" in pages[page]


def _anchor(heading):
    """The name by which a heading is linked to."""
    words = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[\s-]+", "-", words)


def test_every_link_leads_somewhere(pages, links):
    """To a file that exists, and in it to a heading (Markdown) or a name (Python)."""
    broken = []
    for page in pages:
        for target in LINK.findall(_prose(page)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, name = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists():
                broken.append(f"{page.name}: {target}")
            elif name and file.suffix == ".md" and name not in map(_anchor, HEADING.findall(_prose(file))):
                broken.append(f"{page.name}: {target}: no such heading")
            elif name and file.suffix == ".py" and links.line_of(file.read_text(), name) is None:
                broken.append(f"{page.name}: {target}: no such name")
    assert broken == []


def test_names_in_the_code_are_found(links):
    source = "ONE = 1\nTWO: int = 2\nclass Three:\n    four = 4\n    def five(self): ...\n"
    assert links.line_of(source, "TWO") == 2
    assert links.line_of(source, "Three.five") == 5
    assert links.line_of(source, "Three.four") == 4
    assert links.line_of(source, "Three.six") is None
    assert links.line_of(source, "five") is None


def test_one_sentence_walks_through_the_eight_files(root):
    """docs/one-sentence.md links into each file on the way, in the order of the walk."""
    walk = (
        "verbs/predict",
        "data/tokens",
        "decoding/",
        "models/transformer",
        "models/embeddings",
        "models/positions",
        "models/attention",
        "models/heads",
    )
    found = re.findall(r"\]\(\.\./src/seqwise/([\w/.]+)#([\w.]+)\)", (root / "docs" / "one-sentence.md").read_text())
    first = [next((i for i, (path, _) in enumerate(found) if path.startswith(stop)), None) for stop in walk]
    assert None not in first, f"no link into {[stop for stop, i in zip(walk, first, strict=True) if i is None]}"
    assert first == sorted(first)


def test_the_site_builds_without_a_warning(root, tmp_path):
    # not --quiet: it hides the warnings from --strict, too
    if find_spec("mkdocs") is None:
        pytest.skip("needs the dev extra: make install")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        words, cwd=root, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_version_is_the_same_everywhere(root):
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    told = re.findall(r"^## \[(\d[^\]]*)\]", (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert told[0] == version


def test_every_requirement_is_pinned(root):
    """constraints.txt has a release of all that pyproject.toml asks for."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(need for extra in project["optional-dependencies"].values() for need in extra)]
    lines = (root / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert {re.split(r"[^\w.-]", need)[0].lower() for need in asked} - pinned == set()


def test_only_torch_has_an_upper_bound(root):
    needs = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert [need for need in needs if "<" in need or "==" in need] == [
        need for need in needs if need.startswith("torch>")
    ]


def test_the_project_names_no_machine_of_ours(root, files):
    """No path that exists on one machine only."""
    found = []
    for path in files:
        if path.suffix in TEXT:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(root)}: {hit[0].strip()}" for hit in ELSEWHERE.finditer(text)]
    assert found == []
