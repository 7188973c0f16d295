"""Verbs as Python calls them: a path may be a text, and one thing stands for several of which it is the only one."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

Change = Callable[[Any], Any]


def callable_with_texts(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The same verb; where it takes a `Path`, a text is taken for one, and where it takes several things, one alone."""
    form, hints = inspect.signature(verb), get_type_hints(verb)
    changes = {name: change for name, hint in hints.items() if (change := _change(hint)) is not None}

    @wraps(verb)
    def call(*given: Any, **named: Any) -> Any:
        try:
            bound = form.bind(*given, **named)
        except TypeError:  # which says less than Python's own
            return verb(*given, **named)
        for name, value in bound.arguments.items():
            if name in changes and value is not None:
                several = form.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
                bound.arguments[name] = tuple(map(changes[name], value)) if several else changes[name](value)
        return verb(*bound.args, **bound.kwargs)

    return call


def _change(hint: Any) -> Change | None:
    """What becomes of a value of this type; None: nothing."""
    if get_origin(hint) is Annotated:
        return _change(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        kinds = [one for one in get_args(hint) if one is not type(None)]
        return _change(kinds[0]) if len(kinds) == 1 else None
    if hint is Path:
        return lambda value: Path(value) if isinstance(value, str) else value
    if get_origin(hint) is tuple and get_args(hint)[1:] == (...,):
        each = _change(get_args(hint)[0]) or (lambda value: value)
        return lambda value: tuple(map(each, value if isinstance(value, list | tuple) else (value,)))
    return None
