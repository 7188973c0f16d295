"""What `--on` names: columns, and products of two of them. a*b is a, b and a:b; a:b stands beside a and b."""

from collections.abc import Sequence

from seqwise.errors import ConfigError
from seqwise.verbs.stats.reading import names


def terms(text: str, known: Sequence[str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The columns in their order, and the pairs that are multiplied. A column whose name holds the sign is itself."""
    parts = [text] if text in known else [part.strip() for part in text.split(",") if part.strip()]
    alone = [part for part in parts if not _sides(part, known)]
    if len(alone) == len(parts):
        return names(text, known, "--on"), ()
    if alone:
        names(",".join(alone), known, "--on")  # each once
    columns: list[str] = []
    pairs: dict[tuple[str, str], str] = {}
    for part in parts:
        sides = _sides(part, known)
        if not sides:
            columns += names(part, known, "--on", several=False)
            continue
        found = [names(side, known, "--on", several=False)[0] for side in sides]
        if len(found) != 2 or found[0] == found[1]:
            raise ConfigError(f"--on {part}", "products of two different columns", f'--on "{sides[0]}*OTHER"')
        pairs[found[0], found[1]] = part
        columns += found if "*" in part else []
    chosen = tuple(dict.fromkeys(columns))
    for (first, second), part in pairs.items():
        if first not in chosen or second not in chosen:
            mend = f'--on "{"*".join(_sides(part, known))}"'
            raise ConfigError(f"{part} in --on without its columns", "a product beside its two columns", mend)
        if (second, first) in pairs:
            raise ConfigError(f"--on {text}", "each product once", f"leaving out {part}")
    return chosen, tuple(pairs)


def _sides(part: str, known: Sequence[str]) -> list[str]:
    """The columns of a product; none where it is no product."""
    sign = "*" if "*" in part else ":"
    return [] if part in known or sign not in part else [side.strip() for side in part.split(sign)]
