"""Files that results go to: refused before anything is computed where they would do harm, and written whole.

must_be_free   a file that is read, or whose name promises what is not written
save_lines     lines as they come; the file is there only when it is complete
save_rows      a table with tabs between its cells, as `data.readers.tsv` reads it

Left out: whether there is room on the disk, which writing tells (`checkpoints.files.replacing`).
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from seqwise.checkpoints.files import replacing
from seqwise.errors import ConfigError
from seqwise.tasks.lines import must_have_place

PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_ESCAPED = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})


def must_be_free(flag: str, file: Path, read: Iterable[str | Path]) -> None:
    """Refuse a file in no folder, one that is read, by whatever name, and one that would have to be packed."""
    must_have_place(flag, file)
    if file.suffix.lower() in PACKED:
        name = file.with_suffix("")
        raise ConfigError(f"{flag} {file}", "a name of plain text, which is what is written", f"{flag} {name}")
    for one in map(Path, read):
        if file.is_file() and one.is_file() and file.samefile(one):
            name = file.with_name(f"{file.stem}-out{file.suffix}")
            raise ConfigError(f"{flag} {file}, which is read", "another file", f"{flag} {name}")


def save_lines(lines: Iterable[str], place: Path) -> None:
    """All of them or none."""
    with ExitStack() as stack:
        file = None
        for line in lines:
            # opened with the first result, so that a fault in the input leaves no trace
            file = file or stack.enter_context(replacing(place, 0))
            file.write((line + "\n").encode())
        if file is None:
            stack.enter_context(replacing(place, 0))


def save_rows(rows: Sequence[Sequence[str]], place: Path) -> None:
    """A line a row. A quote is a letter like any other; tabs and ends of lines in a cell become \\t, \\n and \\r."""
    content = "".join("\t".join(cell.translate(_ESCAPED) for cell in row) + "\n" for row in rows).encode()
    with replacing(place, len(content)) as file:
        file.write(content)
