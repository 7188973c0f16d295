"""What all pictures share: a figure without a window, colours that most eyes tell apart, SVG with the same bytes.

A picture is a piece of SVG that stands in a page or alone in a file. Its ink is `currentColor`, so that it is dark on
light paper and light on dark; colours of data are told apart by people with any kind of colour vision (Okabe and Ito
2008) on both, and never say alone what a shape or a word does not. Texts stay texts, in the reader's own font, and
nothing in them is a formula: names of columns are the user's, dollar signs and all.

matplotlib draws, through its objects and not pyplot, which keeps state. Left out: pictures that move or answer.
"""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import category
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Float, Int, Num

from seqwise.errors import DataError
from seqwise.stats.phrases import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

BLUE, ORANGE, GREEN = "#2485c7", "#d55e00", "#009e73"  # theirs; the blue a little lighter, for dark paper
INK = "#010203"  # stands for currentColor, which matplotlib has no word for
POINTS = 1000  # drawn at most in one cloud; more only make the file large
LABEL = 36  # characters of a name in a picture
TITLE = 84  # characters of a line of the title
SEED = 12345  # of the points chosen, and of where they lie in a strip
FONT = "font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
RULES: dict[str, Any] = {
    "axes.edgecolor": INK,
    "axes.formatter.limits": (-5, 9),
    "axes.formatter.use_mathtext": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "font.family": "DejaVu Sans",  # measured with this one, which is wide: others take less room
    "font.size": 9,
    "grid.alpha": 0.15,
    "grid.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "path.simplify": True,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": INK,
    "ytick.color": INK,
}

_GROUP = re.compile(r"<g id=\"[^\"]*\"")
_HEAD = re.compile(r"\A.*?<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)
_SHEET = re.compile(r"\s*<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", re.DOTALL)
_FONT = re.compile(r"font-family: [^;\"]*|(?<=font: )([^;\"]*?px) [^;\"]*")
_SPACES = re.compile(r"\n\s*")
_CHANCE = re.compile(r"\bp ([<=>]) ")
_TAG = re.compile(r"<[^>]*>")
_DIGITS = re.compile(r"(?<=\d\.\d\d)\d+")


@dataclass(frozen=True)
class Picture:
    """A drawing, with the words for who cannot see it."""

    title: str
    """A sentence: what there is to see."""
    alt: str
    """What is drawn, for who cannot see it."""
    svg: str
    """Stands in a page as it is, and alone in a file."""
    note: str = ""
    """What the reader must know to read it right, such as how many points were left out."""


Paint = Callable[[Sequence["Axes"]], None]


def draw(
    title: str,
    alt: str,
    paint: Paint,
    *,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (7.6, 3.9),
    note: str = "",
) -> Picture:
    """Make the panels, let `paint` fill them, and hand over what came of it. `size` in inches."""
    import matplotlib as mpl  # late: half a second that no other command should wait for
    from matplotlib.figure import Figure

    rules: Any = RULES | {"svg.hashsalt": title}
    with mpl.rc_context(rules), warnings.catch_warnings():
        # A script that matplotlib's own font lacks: the reader's font has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False)
        lines = textwrap.fill(tied(_clean(title)), TITLE)
        figure.suptitle(lines, x=0.0, ha="left", fontsize=11, fontweight="bold")
        for panel in panels.flat:
            panel.set_axisbelow(True)
        paint(list(panels.flat))
        return Picture(title, alt, _svg(figure, f"{_clean(title)} {_clean(alt)}"), note)


def _svg(figure: "Figure", words: str) -> str:
    """The figure as one element: nothing that differs from day to day, and no style that leaks into a page."""
    file = io.StringIO()
    figure.savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    text = _SHEET.sub("", file.getvalue())
    text = _GROUP.sub("<g", text)  # their names count up in every picture, and a page has several
    text = text.replace(INK, "currentColor")
    text = _FONT.sub(lambda hit: f"{hit[1]} {FONT[13:]}" if hit[1] else FONT, text)
    text = _TAG.sub(lambda tag: _DIGITS.sub("", tag[0]), _SPACES.sub("\n", text))  # a hundredth of a point is enough

    def head(hit: "re.Match[str]") -> str:
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{hit[1]}" role="img" aria-label={quoteattr(words)} '
            'stroke-linejoin="round" stroke-linecap="butt">'
        )

    return _HEAD.sub(head, text, count=1).strip()


def label(name: str, unit: str = "", longest: int = LABEL) -> str:
    """A name of the user's as it stands in a picture, with its unit."""
    shown = _clean(name)
    shown = shown if len(shown) <= longest else shown[: longest - 1] + "…"
    return f"{shown} ({_clean(unit)})" if unit and f"({unit})" not in name and f"[{unit}]" not in name else shown


def measured(value: float, unit: str = "") -> str:
    """A number with its unit, for a sentence."""
    return f"{number(value)} {_clean(unit)}" if unit else number(value)


def _clean(text: str) -> str:
    """One line, without characters that XML has no place for or that turn the direction of what follows."""
    return "".join(" " if character.isspace() else character for character in text if _shown(character))


def _shown(character: str) -> bool:
    return character.isspace() or category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")


def finite(values: Num[np.ndarray, "..."], name: str) -> Float[np.ndarray, "N"]:
    """What can be drawn of the values, in float64."""
    kept = np.asarray(values, dtype=np.float64).ravel()
    kept = kept[np.isfinite(kept)]
    if not len(kept):
        raise DataError(f"no finite number in {label(name)!r}", "numbers to draw", "another column")
    return kept


def thinned(n: int, most: int = POINTS) -> Int[np.ndarray, "K"]:
    """Which of n points are drawn: all, or so many by chance, the first and the last among them; in order."""
    if n <= most:
        return np.arange(n)
    chosen = np.random.default_rng(SEED).choice(np.arange(1, n - 1), size=most - 2, replace=False)
    return np.concatenate([[0], np.sort(chosen), [n - 1]])


def told(n: int, drawn: int, things: str = "points") -> str:
    """The note of a picture that does not show all."""
    return f"{drawn:,} of {n:,} {things} are drawn, chosen by chance." if drawn < n else ""


def tied(text: str) -> str:
    """The text with percent signs kept on the line of their numbers, and chances on that of their p."""
    return _CHANCE.sub("p\u00a0\\1\u00a0", text.replace(" %", "\u00a0%"))


def plainly(panel: "Axes") -> None:
    """A logarithmic axis with numbers as they are: powers would be formulas."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    panel.xaxis.set_minor_formatter(NullFormatter())


def whole(panel: "Axes") -> None:
    """An axis of counts."""
    from matplotlib.ticker import MaxNLocator

    panel.yaxis.set_major_locator(MaxNLocator(nbins="auto", integer=True))


def patch(colour: str, alphas: Sequence[float], shown: str) -> "Patch":
    """The legend of an area that lies in several layers."""
    from matplotlib.patches import Patch

    left = 1.0
    for alpha in alphas:
        left *= 1 - alpha
    return Patch(color=colour, alpha=1 - left, lw=0, label=shown)


def together(*notes: str) -> str:
    """Notes as one."""
    return " ".join(filter(None, notes))
