"""What the calendar tells of a time, as numbers that are known for any time to come.

    feature     columns                  a round is
    minute      minute sin, minute cos   an hour
    hour        hour sin, hour cos       a day, minutes counted
    weekday     weekday sin, cos         a week
    business    business                 1 from Monday to Friday, 0 on the weekend
    day         day sin, day cos         a month, however long it is
    month       month sin, month cos     a year, by months
    week        week sin, week cos       a year, by days
    quarter     quarter sin, cos         a year, by quarters
    year        year                     no round: years after 2000, in tens, so that 2015 is 1.5

What goes round is written as sine and cosine, so that 23 o'clock stands beside midnight and December beside January,
which one number cannot say; both lie between -1 and 1, like what is standardized. A year does not come again and is a
scaled number: a model that learnt 2015 to 2017 has never seen 2018, so it is to be asked for with care.

Left out: holidays, which differ by country; they belong in a column that is known in advance.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Shaped

from seqwise.data.frequency import DAY, Frequency

Feature = Literal["minute", "hour", "weekday", "business", "day", "month", "week", "quarter", "year"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
ROUNDS = 3
_DAYS: dict[Feature, float] = {"minute": 1 / 24, "hour": 1, "weekday": 7, "business": 7, "day": 31}
"""How long a round is; of the others a year."""

# T times, K columns of features


def names(features: Sequence[Feature]) -> tuple[str, ...]:
    """The columns that these features become."""
    single = ("business", "year")
    return tuple(
        name
        for feature in features
        for name in ((feature,) if feature in single else (f"{feature} sin", f"{feature} cos"))
    )


def columns(times: Shaped[np.ndarray, "T"], features: Sequence[Feature]) -> Float[np.ndarray, "T K"]:
    """The features of each time, in the order of `names`."""
    found = [_round(_turned(times, feature)) for feature in features if feature not in ("business", "year")]
    rounds = iter(found)
    dates = times.astype("datetime64[D]")
    parts = []
    for feature in features:
        if feature == "business":
            parts.append(np.is_busday(dates)[:, None].astype(np.float64))
        elif feature == "year":
            years = dates.astype("datetime64[Y]").astype(np.int64) + 1970
            parts.append((years[:, None] - 2000) / 10)
        else:
            parts.append(next(rounds))
    return np.concatenate([np.zeros((len(times), 0)), *parts], axis=1)  # (T, K)


def fitting(frequency: Frequency, passed: np.timedelta64 | None = None) -> tuple[Feature, ...]:
    """The features that can differ between rows of this frequency and come round often enough to be learnt.

    passed   from the first time to the last: what comes round less than `ROUNDS` times in it is left out, since to a
             model it is no season but a name for each time
    """
    if frequency.unit in ("month", "month end"):
        found: tuple[Feature, ...] = ("month",) if frequency.count < 12 else ()
    elif frequency.unit == "week":
        found = ("week",)
    elif frequency.unit in ("day", "business day", "session"):
        found = ("weekday", "week")
    else:
        size = (frequency.next(np.datetime64(0, "us"), 1)[0] - np.datetime64(0, "us")).astype(np.int64)
        found = ("hour", "weekday", "week") if size < DAY else ("weekday", "week")
    if passed is None:
        return found
    days = passed / np.timedelta64(1, "D")
    return tuple(feature for feature in found if days >= ROUNDS * _DAYS.get(feature, 365))


def _turned(times: Shaped[np.ndarray, "T"], feature: Feature) -> Float[np.ndarray, "T"]:
    """How much of a round has passed, from 0 to below 1."""
    dates = times.astype("datetime64[D]")
    clock = (times - dates).astype("timedelta64[us]").astype(np.float64) / DAY
    months, years = dates.astype("datetime64[M]"), dates.astype("datetime64[Y]")
    month = (months - years.astype("datetime64[M]")).astype(np.float64)  # 0 is January
    begin = months if feature == "day" else years
    end = (begin + 1).astype("datetime64[D]")
    passed = (dates - begin.astype("datetime64[D]")).astype(np.float64)
    match feature:
        case "minute":
            return np.asarray(clock * 24 % 1)
        case "hour":
            return np.asarray(clock)
        case "weekday":
            return (dates.astype(np.int64) + 3) % 7 / 7  # 1970 began on a Thursday; 0 is Monday
        case "month":
            return np.asarray(month / 12)
        case "quarter":
            return np.asarray(month // 3 / 4)
    return np.asarray(
        passed / (end - begin.astype("datetime64[D]")).astype(np.float64)
    )  # day of a month, week of a year


def _round(turned: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T 2"]:
    angle = 2 * np.pi * turned
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)
