import numpy as np
import pytest

from seqwise.data.calendar import FEATURES, columns, fitting, names
from seqwise.data.frequency import Frequency


def turned(time: str, feature: str) -> float:
    """The angle of a feature, in rounds from 0 to below 1."""
    sine, cosine = columns(np.array([time], "datetime64[us]"), [feature])[0]
    return float(np.arctan2(sine, cosine) / (2 * np.pi) % 1)


@pytest.mark.parametrize(
    ("time", "feature", "share"),
    [
        ("2020-01-01T18:00", "hour", 18 / 24),
        ("2020-01-01T18:30", "hour", 18.5 / 24),
        ("2020-01-01T18:45", "minute", 0.75),
        ("2020-01-06", "weekday", 0),  # a Monday
        ("2020-01-12", "weekday", 6 / 7),
        ("1969-12-29", "weekday", 0),
        ("2020-02-29", "day", 28 / 29),
        ("2021-02-15", "day", 14 / 28),
        ("2020-11-30", "month", 10 / 12),
        ("2020-11-30", "quarter", 3 / 4),
        ("2020-12-31", "week", 365 / 366),
        ("2021-01-01", "week", 0),
    ],
)
def test_what_goes_round_is_an_angle(time, feature, share):
    assert turned(time, feature) == pytest.approx(share, abs=1e-12)


def test_what_does_not_is_a_number():
    times = np.array(["2015-07-01", "2020-01-04", "1990-01-01"], "datetime64[us]")
    assert columns(times, ["year", "business"]).tolist() == [[1.5, 1], [2, 0], [-1, 1]]


def test_each_column_has_a_name_and_none_is_out_of_proportion():
    times = np.arange("2019-01-01", "2021-01-01", 13, "datetime64[D]").astype("datetime64[us]")
    found = columns(times, FEATURES)
    assert found.shape == (len(times), len(names(FEATURES)))
    assert np.abs(found).max() <= 2.1
    assert columns(times, ()).shape == (len(times), 0)


@pytest.mark.parametrize(
    ("name", "features"),
    [
        ("15 minutes", ("hour", "weekday", "week")),
        ("hour", ("hour", "weekday", "week")),
        ("day", ("weekday", "week")),
        ("session", ("weekday", "week")),
        ("week", ("week",)),
        ("month", ("month",)),
        ("quarter end", ("month",)),
        ("year", ()),
    ],
)
def test_features_fit_the_frequency(name, features):
    assert fitting(Frequency.read(name)) == features


@pytest.mark.parametrize(("days", "features"), [
    (2, ()),
    (3, ("hour",)),
    (21, ("hour", "weekday")),
    (1094, ("hour", "weekday")),
    (1095, ("hour", "weekday", "week")),
])  # fmt: skip
def test_what_does_not_come_round_is_no_season(days, features):
    """A table of two years tells a model nothing of years, only which day each day is."""
    assert fitting(Frequency("hour"), np.timedelta64(days, "D")) == features
