"""Errors say what was given, what is allowed and how to mend it."""

import ast
import inspect

from seqwise import errors

PARTS = ("given", "allowed", "mend")
OURS = {name for name, thing in vars(errors).items() if inspect.isclass(thing) and issubclass(thing, Exception)}


def _calls(modules):
    """Everywhere an error of ours, or a fault of one, is made."""
    for module in modules:
        if module.path.name == "errors.py":
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                if name in OURS | {"Fault"}:
                    yield module, node


def _parts(call):
    """The arguments by name."""
    return dict(zip((*PARTS, "where"), call.args, strict=False)) | {word.arg: word.value for word in call.keywords}


def _ends(node):
    """First and last piece of a text that is written out, where they are."""
    pieces = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = [piece.value if isinstance(piece, ast.Constant) else None for piece in pieces]
    return texts[0], texts[-1]


def test_there_are_errors_to_look_at(modules):
    assert len(list(_calls(modules))) > 50


def test_every_error_has_its_three_parts(modules):
    bare = [module.at(call) for module, call in _calls(modules) if not _parts(call).keys() >= set(PARTS)]
    assert bare == []


def test_no_part_says_what_the_form_says_already(modules):
    """The form is `given: needs allowed. Try mend.`, so no part begins or ends like it."""
    wrong = []
    for module, call in _calls(modules):
        for name, node in _parts(call).items():
            first, last = _ends(node)
            begins = name in ("allowed", "mend") and str(first).lower().startswith(("needs ", "need ", "try "))
            ends = isinstance(last, str) and last.endswith((".", ":")) and not last.endswith("...")
            if begins or ends:
                wrong.append(f"{module.at(call)} {name}")
    assert wrong == []


def test_every_error_is_drawn_in_the_tree():
    drawn = errors.__doc__
    assert [name for name in sorted(OURS) if name not in drawn] == []


def test_no_assert_is_a_message(modules):
    """`python -O` drops asserts, and none says how to mend it."""
    found = [module.at(node) for module in modules for node in ast.walk(module.tree) if isinstance(node, ast.Assert)]
    assert found == []


def test_no_error_is_swallowed_whole(modules):
    """`except:` and `except Exception: pass` hide what went wrong."""
    found = []
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                silent = all(isinstance(line, ast.Pass) for line in node.body)
                if not caught or (caught in ("Exception", "BaseException") and silent):
                    found.append(module.at(node))
    assert found == []
