"""Every way to fail as one line on standard error and an exit code. Tracebacks are for `--debug`."""

import errno
from dataclasses import dataclass

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from seqwise.config import word
from seqwise.errors import ConfigError, Fault, SeqwiseError, nearest
from seqwise.printable import printable

DONE, BROKEN, REFUSED, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141
"""Exit codes, explained in `seqwise.cli`. The last are 128 + SIGINT and 128 + SIGPIPE, as in shells."""

_MENDS = {
    errno.ENOSPC: "to free some space, or a path on another disk",
    errno.EDQUOT: "to free some space, or a path on another disk",
    errno.EACCES: "a path that you may use",
    errno.EPERM: "a path that you may use",
    errno.EROFS: "a path that you may write to",
    errno.EISDIR: "a file, not a folder",
    errno.ENOTDIR: "a path whose folders are no files",
    errno.ENOENT: "a path that exists",
    errno.EEXIST: "another path",
    errno.EMFILE: "ulimit -n 4096",
}


@dataclass(frozen=True)
class Failure:
    """How a command ends that did not get through."""

    line: str
    """Without `seqwise:`; several faults are a line each; empty where there is nothing to say."""
    code: int


def failure(error: BaseException, command: str) -> Failure:
    """The line and exit code of whatever was raised. `command` is what help can be asked of."""
    match error:
        case KeyboardInterrupt():
            return Failure("interrupted", INTERRUPTED)
        case BrokenPipeError():
            return Failure("", UNREAD)
        case SystemExit():  # rich makes one of a closed pipe
            code = error.code if isinstance(error.code, int) else DONE if error.code is None else BROKEN
            return Failure("", UNREAD if isinstance(error.__context__, BrokenPipeError) else code)
        case SeqwiseError():
            return Failure(_told(error.faults), REFUSED)
        case CycloptsError():
            return Failure(_told([_usage(error, command)]), REFUSED)
        case ModuleNotFoundError() if error.name and not error.name.startswith("seqwise"):
            mend = "pip install --upgrade seqwise, or seqwise doctor for all that is missing"
            return Failure(_told([Fault(f"{error.name} is not installed", "that library", mend)]), BROKEN)
        case OSError() if error.errno in _MENDS:
            return Failure(_told([_system(error)]), REFUSED)
    text = f"internal error: {type(error).__name__}: {str(error).partition(chr(10))[0]}".rstrip(": ")
    return Failure(f"{printable(text)} (run again with --debug to see where, and report it)", BROKEN)


def _told(faults: tuple[Fault, ...] | list[Fault]) -> str:
    """As `SeqwiseError` tells them, each on a line of its own."""
    lines = [printable(str(fault)) for fault in faults]
    return lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} faults:", *(f"  {line}" for line in lines)])


def _system(error: OSError) -> Fault:
    """What the operating system refused."""
    reason = error.strerror or str(error)
    given = f"{error.filename}: {reason}" if error.filename else reason
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Fault(given, "room on the disk" if full else "a path that works", _MENDS[error.errno or 0])


def _usage(error: CycloptsError, command: str) -> Fault:
    """What cyclopts could not read, in the form of all our messages."""
    help_words = f"{command} --help"
    match error:
        case UnknownOptionError():
            typed = error.token.keyword or error.token.value
            known = [name for argument in error.argument_collection for name in argument.names]
            mend = f'-- "{typed}", since it begins with a hyphen' if " " in typed else nearest(typed, known)
            return Fault(typed, f"a flag of {command}", mend or help_words)
        case CoercionError() if error.token is not None and error.argument is not None:
            name = error.token.keyword or _shown(error.argument)
            return _value(error.argument.hint, error.token.value, name, help_words)
        case MissingArgumentError() if error.argument is not None:
            given = f"{error.keyword} without a value" if error.keyword else f"{_shown(error.argument)} is not given"
            return Fault(given, "a value", help_words)
        case UnusedCliTokensError():
            words = error.unused_tokens or [""]
            mend = f"quotes around a text with spaces, or {help_words}"
            return Fault(f"the word {words[0]}", f"no more words than {command} takes", mend)
        case RepeatArgumentError():
            return Fault(f"{error.token.keyword} a second time", "each flag once", "the one that is meant, alone")
    error.verbose = False
    text = " ".join(str(error).split()).rstrip(".")
    return Fault(text, f"words and flags as {command} takes them", help_words)


def _value(hint: object, text: str, name: str, help_words: str) -> Fault:
    """A value of the wrong type or choice, told as our settings tell it where they know the type."""
    try:
        word(hint, text, name)
    except ConfigError as error:
        return error.faults[0]
    except TypeError:
        pass
    return Fault(f"{name} {text}", "another value", help_words)


def _shown(argument: Argument) -> str:
    """A flag as it is; a word without one in capitals, as help has it."""
    return argument.name.lstrip("-").upper() if argument.field_info.is_positional else argument.name
