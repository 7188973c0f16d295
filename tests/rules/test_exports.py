"""What can be imported is what is promised, and importing does no work."""

import ast
import importlib
import subprocess
import sys

import pytest

MAKING = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _packages(modules):
    return [module for module in modules if module.path.name == "__init__.py"]


def _promised(tree):
    """The literal `__all__`, or None."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return ast.literal_eval(node.value)
    return None


def _public(body):
    """Names without underscore that a file defines, or imports from the package, also for type checkers alone."""
    for node in body:
        if isinstance(node, MAKING):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "seqwise":
            names = [alias.asname or alias.name for alias in node.names]
        elif isinstance(node, ast.If):
            names = list(_public(node.body))
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def _name(module):
    """`seqwise.models` of src/seqwise/models/__init__.py."""
    parts = module.path.parts
    return ".".join(parts[parts.index("src") + 1 : -1])


def test_every_package_promises_exactly_what_it_has(modules):
    """`__all__` equals the public names of the file: nothing forgotten, nothing that is not there."""
    wrong = {}
    for module in _packages(modules):
        public = set(_public(module.tree.body))
        promised = {name for name in _promised(module.tree) or [] if not name.startswith("__")}
        if public != promised:
            wrong[module.at(module.tree)] = {"only there": public - promised, "only in __all__": promised - public}
    assert wrong == {}


def test_promises_are_sorted(modules):
    lists = {module.at(module.tree): _promised(module.tree) or [] for module in _packages(modules)}
    assert {place: names for place, names in lists.items() if names != sorted(set(names))} == {}


def test_promises_can_be_imported(modules):
    for module in _packages(modules):
        package = importlib.import_module(_name(module))
        assert [name for name in _promised(module.tree) or [] if not hasattr(package, name)] == [], package


def test_the_verbs_are_functions_of_the_package():
    """`seqwise.train` is `seqwise train`; `config` alone is known by its room."""
    seqwise = importlib.import_module("seqwise")
    verbs = importlib.import_module("seqwise.verbs").VERBS
    assert {verb.name for verb in verbs} - {"config", "stats"} <= set(seqwise.__all__)


@pytest.mark.parametrize("door", ["seqwise", "seqwise.cli", "seqwise.config", "seqwise.verbs"])
def test_the_doors_open_without_torch(door):
    code = f"import sys, {door}; print(*{{'torch', 'numpy', 'polars', 'tokenizers'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_importing_does_no_work(modules):
    """At the top of a file names are made: no loops, no open files, no calls for their effect."""
    working = (ast.For, ast.While, ast.With, ast.Assert, ast.Delete)
    found = []
    for module in modules:
        for node in module.tree.body:
            effect = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if effect or isinstance(node, working):
                found.append(module.at(node))
    assert found == []


def test_the_tests_mirror_the_rooms(root):
    """A folder of tests is named after a room, or holds rules, oracles or examples. A file beside them goes across."""
    rooms = {path.stem for path in (root / "src" / "seqwise").iterdir()}
    folders = {path.name for path in (root / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert folders - rooms <= {"rules", "oracles", "examples"}
