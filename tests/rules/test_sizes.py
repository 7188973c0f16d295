"""Short files and short functions: no long tail in which a reader gets lost."""

import ast

FILE = 350  # lines
FUNCTION = 60
USUAL = 35  # nine functions in ten are shorter


def _lengths(modules):
    """Lines of each function, decorators included and the docstring not: it is there to be read, and it is help."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                words = node.body[0] if ast.get_docstring(node) else None
                told = words.end_lineno - words.lineno + 1 if words else 0
                yield module.at(node) + f" {node.name}", node.end_lineno - first + 1 - told


def test_files_are_short(modules):
    long = {module.at(module.tree): len(module.text.splitlines()) for module in modules}
    assert {place: lines for place, lines in long.items() if lines > FILE} == {}


def test_functions_are_short(modules):
    assert {place: lines for place, lines in _lengths(modules) if lines > FUNCTION} == {}


def test_nine_functions_in_ten_are_under_35_lines(modules):
    lengths = dict(_lengths(modules))
    longer = {place: lines for place, lines in lengths.items() if lines >= USUAL}
    assert len(longer) <= len(lengths) / 10, longer


def test_files_are_named_after_what_they_hold(modules):
    nothing = {"utils", "util", "helpers", "helper", "misc", "common", "base"}
    assert [module.at(module.tree) for module in modules if module.path.stem in nothing] == []


def test_every_module_opens_with_what_it_is(modules):
    assert [module.at(module.tree) for module in modules if not ast.get_docstring(module.tree)] == []
