"""The project as the house rules see it: its files, its modules as syntax trees, its documentation scripts."""

import ast
import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    """One file of the package, read but not imported."""

    path: Path
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        """`src/seqwise/room/file.py:12`, as an editor opens it."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder with pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> list[Module]:
    """All of the package."""
    texts = {path: path.read_text() for path in sorted((ROOT / "src").rglob("*.py"))}
    return [Module(path, text, ast.parse(text)) for path, text in texts.items()]


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file that belongs to the project: committed, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout, to know which files are the project's")
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def pages(files: list[Path]) -> list[Path]:
    """Every Markdown file."""
    return [path for path in files if path.suffix == ".md"]


def script(name: str) -> ModuleType:
    """A script of docs/, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def links() -> ModuleType:
    """docs/links.py, which finds symbols in the code."""
    return script("links")


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """docs/generate.py, which writes into the pages what they take from the code."""
    return script("generate")
