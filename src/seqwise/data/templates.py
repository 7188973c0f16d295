"""A chat template at work: a text in Jinja, with values filled in as transformers does it.

Templates come from the internet and are programs. So they run in Jinja's sandbox, see plain values only and cannot
change them, and get so many turns of their loops and calls and no more.

Left out: a limit on what a single filter or method of a text may take, such as padding to a thousand million.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from seqwise.errors import ConfigError, DataError

_TURNS = 1_000_000  # of loops and calls in one rendering; real templates take some tens for each message
_LARGEST = 10_000_000  # characters or items that a template may make at once
_WIDE = re.compile(r"\d{5,}")  # a width in a format
_LEFT = "turns left"  # no name that a template could write


def run(template: str, values: Mapping[str, Any]) -> str:
    """The text that the template makes of the values, which are texts, numbers, lists and dicts."""
    compiled = _compiled(template)
    try:
        return compiled.render({**values, _LEFT: [_TURNS]})
    except _RefusedError as error:
        said = " ".join(str(error).split())
        raise DataError(
            given=f'messages that the chat template refuses ("{said}")',
            allowed="messages as the template wants them",
            mend="other messages, or another template",
        ) from None
    except SecurityError as error:
        raise _broken(f"reaches for what it may not have ({error})", error) from None
    except Exception as error:  # a template is a program, and may fail in any way
        raise _broken(f"fails ({' '.join(str(error).split()) or type(error).__name__})", error) from None


@lru_cache(maxsize=16)
def _compiled(template: str) -> jinja2.Template:
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    sandbox.filters.update(tojson=_tojson, _turns=_turns, _joined=_joined)
    sandbox.globals.update(
        raise_exception=_refuse, strftime_now=_strftime_now, namespace=_Space, dict=lambda *a, **k: dict(*a, **k)
    )
    try:
        tree = _Joins().visit(sandbox.parse(template))
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "_turns", [], [], None, None, lineno=loop.lineno)
        return sandbox.from_string(tree)
    except jinja2.TemplateSyntaxError as error:
        where = f"chat template:{error.lineno}"
        raise _unfit(f"a chat template that is no Jinja ({' '.join(str(error.message).split())})", where) from None
    except RecursionError:
        raise _unfit("a chat template nested too deeply", "chat template") from None


class _Joins(NodeTransformer):
    """Every `a ~ b` becomes a join that is counted."""

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # Jinja's own name
        self.generic_visit(node)
        items = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(items, "_joined", [], [], None, None, lineno=node.lineno)


def _joined(parts: Iterable[Any]) -> str:
    """The parts as one text, unless it is too long."""
    texts, size = [], 0
    for part in parts:
        texts.append(str(part))
        size += len(texts[-1])
        if size > _LARGEST:
            raise SecurityError(f"more than {_LARGEST} characters at once")
    return "".join(texts)


class _RefusedError(jinja2.TemplateError):
    """What a template says by raise_exception."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with an end; these two methods are where Jinja lets one hook in."""

    intercepted_binops = frozenset(["+", "*", "**", "%"])
    concat = staticmethod(_joined)  # of all that a template, or a block that is set to a name, writes

    def call(self, context: Context, called: Any, /, *args: Any, **kwargs: Any) -> Any:
        _take(context)
        return super().call(context, called, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        _take(context)
        sizes = [len(part) if isinstance(part, str | list | tuple) else None for part in (left, right)]
        match operator, sizes:
            case "+", [int() as one, int() as other]:
                size = one + other
            case "*", [int() as one, None] if isinstance(right, int):
                size = one * right
            case "*", [None, int() as other] if isinstance(left, int):
                size = other * left
            case "%", [int(), _] if "*" in left or _WIDE.search(left):
                size = _LARGEST + 1
            case "**", _:
                size = 0 if abs(right) < 100 and abs(left) < _LARGEST else _LARGEST + 1
            case _:
                size = 0
        if size > _LARGEST:
            raise SecurityError(f"more than {_LARGEST} characters at once")
        return super().call_binop(context, operator, left, right)


class _Space(Namespace):
    """Jinja's namespace without the names that Python keeps for itself."""

    def __init__(*args: Any, **kwargs: Any) -> None:  # as in Jinja: "self" may be a key
        named = dict(*args[1:], **kwargs)
        for name in named:
            _outward(name)
        Namespace.__init__(args[0], named)

    def __setitem__(self, name: str, value: Any) -> None:
        _outward(name)
        super().__setitem__(name, value)


class _Generation(Extension):
    """The tag {% generation %}, which marks what the model wrote; it changes no text."""

    tags = {"generation"}  # noqa: RUF012 # Jinja's own attribute

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Macro) -> str:
        return caller()


@jinja2.pass_context
def _turns(context: Context, items: Any) -> Iterator[Any]:
    """What a loop runs over, counted."""
    for item in items:
        _take(context)
        yield item


def _take(context: Context) -> None:
    left = context.parent[_LEFT]
    left[0] -= 1
    if left[0] < 0:
        raise SecurityError(f"more than {_TURNS} turns")


def _outward(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"the name {name} in a namespace")


def _refuse(message: object) -> None:
    raise _RefusedError(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Without the escapes for HTML that Jinja's own has."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _broken(what: str, error: Exception) -> ConfigError:
    """An error of the template's, with its line."""
    place, line = error.__traceback__, 0
    while place is not None:
        if place.tb_frame.f_code.co_filename == "<template>":
            line = place.tb_lineno
        place = place.tb_next
    return _unfit(f"a chat template that {what}", f"chat template:{line}" if line else "chat template")


def _unfit(given: str, where: str) -> ConfigError:
    return ConfigError(given, "a template in Jinja that fits these messages", "the model's own, as it came", where)
