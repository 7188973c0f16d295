"""Choose the verb, import it alone, call it, print what it returns; turn what it raises into a line."""

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts.completion import ShellDetectionError

from seqwise.cli import commands
from seqwise.cli.failures import DONE, failure
from seqwise.errors import ConfigError, nearest
from seqwise.printable import on_terminal
from seqwise.verbs import VERBS, Verb

DEBUG = "--debug"


def main(words: Sequence[str] | None = None, verbs: Sequence[Verb] = VERBS) -> int:
    """Run one command and return its exit code. `words` are those after `seqwise`."""
    given = list(sys.argv[1:] if words is None else words)
    ours = given.index("--") if "--" in given else len(given)  # what follows is text, not flags
    debug = DEBUG in given[:ours]
    given = [word for word in given[:ours] if word != DEBUG] + given[ours:]
    command = _command(given, verbs)
    try:
        code = run(given, verbs)
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if debug:
            traceback.print_exc()
        failed = failure(error, command)
        _drop_output()
        if failed.line:
            print(f"seqwise: {failed.line}", file=sys.stderr)
        return failed.code
    return code


def run(words: Sequence[str], verbs: Sequence[Verb]) -> int:
    """The same, letting errors through."""
    if commands.is_help(words):
        app = commands.application(verbs, loaded="*" if "--install-completion" in words else "")
        command, bound, _ = app.parse_args(list(words) or ["--help"])
        try:
            return show(command(*bound.args, **bound.kwargs))
        except ShellDetectionError:
            shells = "bash, zsh, fish or powershell"
            raise ConfigError("no shell that is known", shells, "--install-completion --shell bash") from None
    path, rest = _chosen(words, verbs)
    app = commands.application(verbs, loaded=" ".join(verb.name for verb in path))
    if not path[-1].alone:  # the help of a verb that does nothing by itself
        command, bound, _ = app.parse_args([*(verb.name for verb in path), "--help"])
        return show(command(*bound.args, **bound.kwargs))
    return show(commands.call(commands.load(path[-1]), [verb.name for verb in path], rest, app))


def show(result: object) -> int:
    """Print what a verb returned, and tell the exit code. Of several processes only the first prints."""
    if result is not None and os.environ.get("RANK", "0") == "0":
        if isinstance(result, str):
            result = on_terminal(result)  # what a model wrote, or names of a download
            print(result, end="" if result.endswith("\n") else "\n")
        else:
            from rich.console import Console  # late: half of the time that --help takes

            # Texts of the user's are shown as they are, whatever brackets and colons they hold.
            Console(markup=False, emoji=False, highlight=False).print(result, crop=False)
    code = getattr(result, "exit_code", DONE)
    return code if isinstance(code, int) else DONE


def _chosen(words: Sequence[str], verbs: Sequence[Verb]) -> tuple[list[Verb], Sequence[str]]:
    """The verb that the words begin with, behind the verb that it is a part of; and the words that are left."""
    verb = _named(words[0], verbs, "seqwise")
    rest = words[1:]
    if not rest or not verb.parts:
        return [verb], rest
    if rest[0] in {part.name for part in verb.parts}:
        return [verb, _named(rest[0], verb.parts, "")], rest[1:]
    if not verb.alone and not commands.is_help(rest):
        _named(rest[0], verb.parts, f"seqwise {verb.name}")  # refuses it
    return [verb], rest


def _command(words: Sequence[str], verbs: Sequence[Verb]) -> str:
    """What help can be asked of: the program, the verb, or the part of it."""
    if not words or words[0].startswith("-"):
        return "seqwise"
    parts = next((verb.parts for verb in verbs if verb.name == words[0]), ())
    return " ".join(["seqwise", *words[: 2 if words[1:2] and words[1] in {part.name for part in parts} else 1]])


def _named(name: str, verbs: Sequence[Verb], before: str) -> Verb:
    """The verb of that name."""
    known = {verb.name: verb for verb in verbs}
    if name in known:
        return known[name]
    if name.startswith("-"):
        raise ConfigError(f"{name} before a command", f"one of {', '.join(known)}", f"{before} --help")
    close = nearest(name, known)
    mend = f"{before} {close}" if close else f"{before} --help"
    raise ConfigError(f"the command {name}", f"one of {', '.join(known)}", mend)


def _drop_output() -> None:
    """Let go of what cannot be written any more, so that Python does not complain at its own end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (OSError, ValueError):
            return
