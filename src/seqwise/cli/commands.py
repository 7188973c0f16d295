"""A verb as a cyclopts command, made from its signature and docstring.

A verb of settings is parsed by `seqwise.config`, which knows files, unions and ranges; cyclopts gets a
stand-in with one parameter for each setting, so that help and completion look the same everywhere.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import partial, wraps
from importlib import import_module, metadata
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import App, Group, Parameter, Token

from seqwise.config import Duration, Range, Setting, check, describe, resolve, take_file, word
from seqwise.errors import ConfigError
from seqwise.verbs import Verb

Function = Callable[..., Any]
SETTINGS = "settings"
"""The parameter that is filled from a file and flags."""
TOP = "run"
"""The panel of settings that stand in no section."""
_HELP = ("--help", "-h")
_WORDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
_EPILOGUE = """\
Example:

    seqwise {example}

{more}--debug, anywhere, shows the traceback of an error.
Exit codes: 0 done, 1 broken on our side, 2 something given cannot be used, 130 interrupted.\
"""


def application(verbs: Sequence[Verb], loaded: str = "") -> App:
    """All commands, of which only the loaded one is imported; "*" loads all, for shell completion."""
    app = App(
        name="seqwise",
        help="Train sequence models, see what happens inside them, and weigh whether it was worth it.",
        help_format="plaintext",
        help_epilogue=_EPILOGUE.format(example="demo", more="Every command has its own --help. "),
        version=lambda: metadata.version("seqwise"),
        default_parameter=Parameter(negative_iterable=(), consume_multiple=True),
        suppress_keyboard_interrupt=False,
        print_error=False,
        exit_on_error=False,
    )
    for order, verb in enumerate(verbs):
        first, _, part = loaded.partition(" ")
        whole = loaded == "*"
        if verb.parts and (whole or (first == verb.name and (part or not verb.alone))):
            app.command(_group(verb, "*" if whole else part, order))
        else:
            _add(app, verb, verb.name, order, loaded in (verb.name, "*"))
    app.register_install_completion_command(help="Teach your shell to complete seqwise commands and flags.")
    return app


def _group(verb: Verb, loaded: str, order: int) -> App:
    """A verb with parts as an application of its own; alone it shows its parts."""
    text = f"{verb.summary}\n\nEach of these has its own --help."
    epilogue = _EPILOGUE.format(example=f"{verb.name} {verb.parts[0].name} --help", more="")
    group = App(
        name=verb.name, help=text, help_format="plaintext", help_epilogue=epilogue, version_flags=[], sort_key=order
    )
    for place, part in enumerate(verb.parts):
        _add(group, part, f"{verb.name} {part.name}", place, loaded in (part.name, "*"))
    if verb.alone and loaded == "*":
        function = load(verb)
        group.default(_presented(function))
    return group


def _add(app: App, verb: Verb, name: str, order: int, loaded: bool) -> None:
    """One command; by its place only, unless it is the one that is called."""
    if not loaded:
        app.command(f"{verb.module}:{verb.function}", name=verb.name, help=verb.summary, sort_key=order)
        return
    function = load(verb)
    text, example = _docstring(function)
    app.command(
        _presented(function),
        name=verb.name,
        help=text,
        help_epilogue=example,
        usage=_usage(name, function) if takes_settings(function) else None,
        version_flags=[],
        sort_key=order,
    )


def _usage(name: str, function: Function) -> str:
    """How a verb of settings is called."""
    first = "[MODEL] " if hasattr(get_type_hints(function)[SETTINGS], "FIRST_WORD") else ""
    return f"seqwise {name} {first}[FILE.yaml] [FLAGS]"


def load(verb: Verb) -> Function:
    """Import the verb's function, and with it the rooms it wires."""
    function: Function = getattr(import_module(verb.module), verb.function)
    return function


def call(function: Function, path: Sequence[str], words: Sequence[str], app: App) -> object:
    """Read the words and call the verb. What it returns is the caller's to print."""
    if takes_settings(function) and not any(word in _HELP for word in words):
        kind = get_type_hints(function)[SETTINGS]
        file, rest = take_file(words)
        return function(resolve(kind, file, _first_word(kind, rest)))
    _must_name_places(function, words)
    command, bound, _ = app.parse_args([*path, *words])
    for value in bound.arguments.values():
        if is_dataclass(value) and not isinstance(value, type):
            check(value)
    return command(*bound.args, **bound.kwargs)


def _must_name_places(function: Function, words: Sequence[str]) -> None:
    """Refuse a path without a letter, which would else be the folder that one works in."""
    hints = get_type_hints(function)
    paths = {f"--{name.replace('_', '-')}" for name, hint in hints.items() if Path in (hint, *get_args(hint))}
    for flag, value in pairwise([*words, "."]):
        if (flag in paths and value == "") or (flag.endswith("=") and flag[:-1] in paths):
            name = flag.rstrip("=")
            raise ConfigError(f'{name} ""', "a path", f"{name} with a name, or leaving it out")


def _first_word(kind: type, words: Sequence[str]) -> list[str]:
    """The words as flags: a first one that is none is the setting that the settings name as such."""
    setting = getattr(kind, "FIRST_WORD", None)
    if setting is None or not words or words[0].startswith("-"):
        return list(words)
    return [f"--{setting}", *words]


def takes_settings(function: Function) -> bool:
    """Whether the verb's one parameter is a dataclass of settings."""
    return list(inspect.signature(function).parameters) == [SETTINGS]


def _presented(function: Function) -> Function:
    """The function as cyclopts shall see it."""
    hints = get_type_hints(function, include_extras=True)
    if takes_settings(function):
        parameters = _flags(describe(hints[SETTINGS]))
    else:
        signature = inspect.signature(function)
        parameters = [_native(parameter, hints[key]) for key, parameter in signature.parameters.items()]

    @wraps(function)
    def stand_in(*words: Any, **flags: Any) -> Any:
        return function(*words, **flags)

    stand_in.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    stand_in.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    stand_in.__doc__ = _documented(function, hints)
    del stand_in.__wrapped__  # or inspect would look through us
    return stand_in


def _documented(function: Function, hints: Mapping[str, Any]) -> str:
    """The docstring, with the fields of a dataclass on a line each behind the parameter that holds them.

    cyclopts would find them by itself, and show the line breaks of the source.
    """
    text = inspect.getdoc(function) or ""
    for name in inspect.signature(function).parameters:
        hint = get_args(hints[name])[0] if get_origin(hints[name]) is Annotated else hints[name]
        if is_dataclass(hint) and isinstance(hint, type):
            rows = "".join(f"\n    {name}.{row.name}: {row.meaning}" for row in describe(hint))
            text = re.sub(rf"^ +{name}: .*$", partial(_followed, rows=rows), text, flags=re.MULTILINE)
    return text


def _followed(match: re.Match[str], rows: str) -> str:
    """What was found, and rows behind it."""
    return match[0] + rows


def _native(parameter: inspect.Parameter, hint: Any) -> inspect.Parameter:
    """A verb's own parameter, with its Range or Duration minded and the words of `*flags` left alone."""
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL and parameter.name == "flags":
        hint = Annotated[hint, Parameter(allow_leading_hyphen=True)]
    elif _noted(hint):
        plain, name = hint, parameter.name.upper()

        def converted(_: Any, tokens: Sequence[Token]) -> object:
            return word(plain, tokens[0].value, tokens[0].keyword or name)

        hint = Annotated[hint, Parameter(converter=converted)]
    elif set(get_args(hint)) == {str, tuple[str, str], NoneType}:  # twice, since words of another may follow
        hint = Annotated[tuple[str, ...], Parameter(converter=_one_or_more, consume_multiple=False)]
    elif several := [member for member in get_args(hint) if get_origin(member) is tuple]:
        hint = several[0]  # one value by itself is for Python: here it is a word of several
    elif set(get_args(hint)) in ({str, NoneType}, {Path, NoneType}):
        hint = next(member for member in get_args(hint) if member is not NoneType)  # "none" is a text here
    unsaid = parameter.default is None or (parameter.default == () and parameter.kind in _WORDS)
    shown = False if unsaid else _default
    return parameter.replace(annotation=Annotated[hint, Parameter(show_default=shown)])


def _one_or_more(_: Any, tokens: Sequence[Token]) -> object:
    """A text, or of several a tuple."""
    words = tuple(token.value for token in tokens)
    return words[0] if len(words) == 1 else words


def _noted(hint: Any) -> bool:
    """Whether a Range or Duration stands in the annotation."""
    if get_origin(hint) is Annotated and any(isinstance(note, Range | Duration) for note in get_args(hint)[1:]):
        return True
    return get_origin(hint) is not tuple and any(_noted(member) for member in get_args(hint))


def _file(group: Group) -> inspect.Parameter:
    """The settings file, which every verb of settings takes."""
    text = "Settings in YAML; flags win over it. The first word may name it too. [see: seqwise config show]"
    hint = Annotated[Path | None, Parameter(name="--config", help=text, group=group, show_default=False)]
    return inspect.Parameter("config_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)


def _flags(settings: Sequence[Setting]) -> list[inspect.Parameter]:
    """Each setting as help and completion show it; one that several kinds have is told once."""
    named: dict[str, list[Setting]] = {}
    kinds: dict[str, set[str]] = {}
    for setting in settings:
        named.setdefault(setting.name, []).append(setting)
        kinds.setdefault(setting.name.partition(".")[0], set()).add(setting.only)
    titles = {name: _title(rows, kinds[name.partition(".")[0]] - {""}) for name, rows in named.items()}
    ordered = dict.fromkeys([TOP, *titles.values()])
    groups = {title: Group(title, sort_key=order) for order, title in enumerate(ordered)}
    return [_file(groups[TOP]), *(_flag(rows, groups[titles[name]]) for name, rows in named.items())]


def _title(rows: Sequence[Setting], kinds: set[str]) -> str:
    """The panel in which a setting stands: its section, and the kinds that have it where not all do."""
    only = [row.only for row in rows if row.only]
    return (rows[0].section or TOP) + (f", {' and '.join(only)}" if only and kinds - set(only) else "")


def _flag(rows: Sequence[Setting], group: Group) -> inspect.Parameter:
    setting = rows[0]
    switch = setting.type == "true or false"
    hint: Any = bool if switch else Literal[setting.choices] if setting.choices else str
    differing = len({row.default for row in rows}) > 1
    defaults = [row.default.strip('"').replace("null", "none").replace("[]", "none") for row in rows]
    told = ", ".join(f"{default} ({row.only})" for default, row in zip(defaults, rows, strict=True))
    default = told if differing else defaults[0]
    noted = Parameter(
        name="--" + setting.name.replace("_", "-"),
        help=" ".join(filter(None, [setting.meaning, f"[{setting.limits}]" if setting.limits else ""])),
        group=group,
        metavar=None if switch or setting.choices else _metavar(setting.type),
        show_default=lambda _: default,
    )
    return inspect.Parameter(
        re.sub(r"\W", "__", setting.name),
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if setting.required else default or None,
        annotation=Annotated[hint, noted],
    )


def _metavar(label: str) -> str:
    """`whole number or none` as NUMBER."""
    return label.replace("whole ", "").replace(" or none", "").replace(", ...", "...").replace(",", "").upper()


def _docstring(function: Function) -> tuple[str, str]:
    """The docstring, and apart from it the example at its end."""
    text = inspect.getdoc(function) or ""
    head, *tail = re.split(r"^Examples?:[ \t]*\n", text, maxsplit=1, flags=re.MULTILINE)
    if not tail:
        head, *tail = re.split(r"^```[a-z]*\n(?=[^`]*```\s*\Z)", text, maxsplit=1, flags=re.MULTILINE)
    lines = [line for line in inspect.cleandoc(tail[0]).splitlines() if "```" not in line] if tail else []
    example = "\n".join(f"    {line}".rstrip() for line in lines).strip("\n")
    return _flowing(head), f"Example:\n\n{example}" if example else ""


def _flowing(text: str) -> str:
    """Paragraphs without the line breaks of the source; what is indented, such as `Args:`, keeps its lines."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(block if "\n " in block else block.replace("\n", " ") for block in blocks)


def _default(value: object) -> str | None:
    """A default as help shows it; None is not shown."""
    if value is None:
        return None
    return "none" if value in ((), "") else str(value).lower() if isinstance(value, bool) else str(value)


def is_help(words: Sequence[str]) -> bool:
    """Whether the words ask for help on the whole, the version or completion, and name no verb."""
    return not words or words[0] in (*_HELP, "--version", "--install-completion")
