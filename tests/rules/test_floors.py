"""Imports go down only, in no circle. The floors stand in pyproject.toml; import-linter checks them."""

import os
import subprocess
import sys
import tomllib

import pytest

pytest.importorskip("importlinter", reason="needs the dev extra: make install")

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@pytest.fixture
def floors(root):
    """The layers, from the door down, each with its rooms."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (one for one in settings["contracts"] if one["type"] == "layers")
    assert contract["exhaustive"] is True
    return [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]


def test_no_import_goes_up_or_in_a_circle(root, tmp_path):
    words = [sys.executable, "-c", LINT, "--no-logo", "--cache-dir", str(tmp_path)]
    plain = os.environ | {"NO_COLOR": "1", "COLUMNS": "120"}
    done = subprocess.run(words, cwd=root, env=plain, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_floor_has_its_room(root, floors):
    """A floor in brackets would be one that may be missing; the map shows only what is built."""
    built = {path.stem for path in (root / "src" / "seqwise").iterdir() if path.stem not in ("__init__", "py")}
    built -= {"__pycache__"}
    assert {room for layer in floors for room in layer} == built


def test_the_map_in_the_package_shows_the_same_floors(root, floors):
    """The docstring of the package draws the house as the contract has it."""
    text = (root / "src" / "seqwise" / "__init__.py").read_text().split('"""')[1]
    drawn = [line.strip().split("  ")[0] for line in text.splitlines() if line.startswith("    ")]
    assert drawn == [" | ".join(layer) for layer in floors]
