"""What is done in one way has one home: no function of some length stands twice in the rooms that train and tune."""

import ast
from collections import defaultdict

ROOMS = ("verbs", "tasks", "training", "checkpoints", "data", "decoding", "models")
LONG = 700  # characters of a syntax tree: some five lines


def test_no_function_stands_twice(modules):
    homes = defaultdict(list)
    for module in modules:
        if not set(ROOMS) & set(module.path.parts):
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                told = ast.dump(ast.Module(body, []))
                homes[told if len(told) > LONG else module.at(node)].append(module.at(node))
    assert [places for places in homes.values() if len(places) > 1] == []
