"""How many more items or seeds would tell: what "cannot tell" is worth to the one who asks.

    items       items that find a difference of a given size four times in five
    seeds       the same of seeds, on the same items; infinite where no number of seeds does
    harmless    items that show a loss to be smaller than a margin, where nothing is lost in truth, or what was seen
    told        the same in words

From the spread that was seen, or the share of items that flipped, and a size that is asked for: never from the p-value.
Numbers are whole and rounded up to two digits, as they are known no better.
"""

from math import ceil, floor, inf, isfinite, log, log1p, log2, log10, sqrt

from scipy.special import ndtri, stdtrit

from seqwise.stats.crossing import first, upwards
from seqwise.stats.fewpairs import FEW
from seqwise.stats.phrases import counted
from seqwise.stats.power import POWER, beyond, flips_items, non_inferiority_items, t_items
from seqwise.stats.results import LEVEL
from seqwise.verdict.aligned import FEWEST
from seqwise.verdict.constant import Unvaried
from seqwise.verdict.effects import Weighed
from seqwise.verdict.flips import Flips, SeedFlips
from seqwise.verdict.seeds import Chance, Crossed, Part
from seqwise.verdict.words import limit

MOST_SEEDS = 100
MOST_ITEMS = 1e9  # beyond it nobody asks


def items(found: Weighed, aim: float, level: float = LEVEL) -> float:
    """Of as many seeds as now."""
    data, aim = found.data, abs(aim)
    if not aim:
        return inf
    if found.chance is None:
        return _rounded(_flipped(found, aim, level))
    if data.codes is not None and found.crossed is None and not data.ahead:
        least = _flipped(found, aim, level) if isinstance(found.flips, Flips) else 0.0
        return _rounded(max(least, data.many * _times(found, aim, level)))
    units, many = len(data.sizes), data.many
    if found.crossed is None:
        wanted = t_items(aim / (found.chance.error * sqrt(units)), level=level)
        return _rounded(wanted * many / units)
    return _rounded(_of_several(found, found.crossed, aim, level))


def _of_several(found: Weighed, luck: Crossed, aim: float, level: float, sides: int = 2) -> float:
    """Of several seeds: what is in seeds and items both falls with the items too, what is training's alone does not."""
    many, chance = found.data.many, luck.chance
    (_, own), (lasting, units) = chance.parts

    def enough(count: int) -> bool:
        times = count / many
        parts = ((luck.training + min(luck.seeds, luck.rest) / times, own), (lasting / times, units * times))
        alone = (chance.alone[0] / times, chance.alone[1] * times) if chance.alone else None
        return _together(parts, alone).detectable(level, sides) <= aim

    if not enough(int(MOST_ITEMS)):  # fewer degrees of freedom may cost what more items gain, within a hair
        return float(many) if chance.detectable(level, sides) <= aim else inf
    fewest = max(1, many * FEWEST // len(found.data.sizes))
    return float(fewest if enough(fewest) else first(enough, fewest, int(MOST_ITEMS)))


def _together(parts: tuple[Part, Part], alone: Part | None) -> Chance:
    """Seeds' luck and the items', by Satterthwaite's degrees of freedom; or the items' alone, where that is more."""
    (own, df), (lasting, units) = parts
    total, below = own + lasting, own**2 / df + lasting**2 / units
    together = total**2 / below if below else units
    if alone and alone[0] >= total:
        total, together = alone
    return Chance(sqrt(total), together, parts, alone)


def _flipped(found: Weighed, aim: float, level: float) -> float:
    """Single items that are right or wrong."""
    changed, share = sum(found.data.flips) / found.data.items, min(1.0, aim / 100)
    return flips_items(max(changed, share), share, level=level)


def seeds(found: Weighed, aim: float, level: float = LEVEL) -> float:
    """On the same items."""
    luck, now, aim = found.crossed, len(found.data.tuned), abs(aim)
    if luck is None or luck.seeds <= 0 or not aim:
        return inf
    lasting, units = luck.chance.parts[1]

    def enough(count: int) -> bool:
        own = luck.seeds * now / count
        alone = (lasting + luck.rest * now / count, units) if luck.chance.alone else None
        return _together(((own, count - 1.0), (lasting, units)), alone).detectable(level) <= aim

    if not enough(MOST_SEEDS):
        return inf
    return float(first(enough, 1, MOST_SEEDS))


def harmless(found: Weighed, margin: float, difference: float = 0.0, level: float = LEVEL) -> float:
    """One-sided, as the test against the margin; difference: the true one, better being more."""
    data = found.data
    if margin + difference <= 0:
        return inf
    least = _unflipped(found, margin, level)
    if isinstance(found.flips, Unvaried):
        return _rounded(least)
    if found.crossed is not None:
        return _rounded(max(least, _of_several(found, found.crossed, margin + difference, level, sides=1)))
    if found.chance is None:
        changed = max(sum(data.flips) / data.items, 1 / data.items)
        sd = 100 * sqrt(changed)
    else:
        sd = found.chance.error * sqrt(data.many)
    if not sd:
        return inf
    if data.codes is not None and not data.ahead:
        if isinstance(found.flips, Flips):
            sd = found.flips.single.error * sqrt(data.many)
            least = max(least, non_inferiority_items(margin, sd=sd, difference=difference, level=level))
        return _rounded(max(least, data.many * _times(found, margin + difference, level, sides=1)))
    return _rounded(max(least, non_inferiority_items(margin, sd=sd, difference=difference, level=level)))


def _unflipped(found: Weighed, margin: float, level: float) -> float:
    """Items of which none may flip, or do otherwise than all others, for a loss of the margin to be ruled out."""
    data, flips = found.data, found.flips
    if isinstance(flips, Unvaried):
        share = (found.gain + margin) / flips.reach
        wanted = max(log(1 - level) / log1p(-share) if 0 < share < 1 else 0.0, -log2(1 - level))
        return data.many / flips.units * wanted if share > 0 else inf
    if data.measure.kind != "right" or margin >= 100:
        return 0.0
    odds = (100 - margin) / margin  # Tango's z² is n over these
    if isinstance(flips, Flips):
        times = upwards(lambda many: sqrt(flips.n * many / odds) - float(stdtrit(flips.df * many, level)), 0.0, 0.0)
        return max(data.many * times, _of_single(margin, level))
    if isinstance(flips, SeedFlips):
        return float(ndtri(level)) ** 2 * odds * flips.effect
    return _of_single(margin, level)


def _of_single(margin: float, level: float) -> float:
    """Of items that stand alone: few rule it out by (1 - margin)^n, more by the normal distribution."""
    few = ceil(log(1 - level) / log1p(-margin / 100))
    return few if few <= FEW else max(FEW + 1.0, float(ndtri(level)) ** 2 * (100 - margin) / margin)


def _times(found: Weighed, aim: float, level: float, sides: int = 2) -> float:
    """How many times as many clusters, which also know their spread by so many more degrees of freedom."""
    data, luck = found.data, found.chance
    if luck is None:
        raise TypeError("clusters have a spread")
    flips = found.flips if isinstance(found.flips, Flips) and sides == 2 else None

    def seen(times: float) -> float:
        if flips is not None:
            return flips.times(times).found(aim, level)
        df = luck.df * times
        return beyond(float(stdtrit(df, 1 - (1 - level) / sides)), df, aim * sqrt(times) / luck.error, sides=1)

    return upwards(seen, FEWEST / len(data.sizes), POWER)


def told(found: Weighed, aim: float, what: str, level: float = LEVEL) -> str:
    """What would find a difference of this size, in a sentence. what: such as "a gain of {}", with the size in it."""
    what = what.format(limit(abs(aim), found.data.measure.unit))
    wanted, more = items(found, aim, level), seeds(found, aim, level)
    ways = []
    if isfinite(wanted) and found.data.many < wanted <= MOST_ITEMS:
        ways.append(f"{int(wanted):,} {found.data.noun} like these (now {found.data.many:,})")
    if isfinite(more) and more > len(found.data.tuned):
        ways.append(f"{counted(int(more), 'seed')} (now {len(found.data.tuned)})")
    if ways:
        return f"{' or '.join(ways)} would tell {what}, four times in five."
    if isfinite(wanted) and wanted <= found.data.many:
        return (
            f"As many {found.data.noun} as these show {what}, four times in five, so that it may be smaller in truth."
        )
    return f"Neither more {found.data.noun} alone nor {MOST_SEEDS} seeds would tell {what}."


def _rounded(wanted: float) -> float:
    if not isfinite(wanted):
        return inf
    whole = ceil(wanted)
    step = 10 ** max(0, floor(log10(max(1, whole))) - 1)
    return float(ceil(whole / step) * step)
