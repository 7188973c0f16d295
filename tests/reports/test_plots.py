"""What the pictures say is compared with the numbers they were made from; what they are, with XML and a policy."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from seqwise.errors import DataError
from seqwise.reports import drawing, plots
from seqwise.stats.results import Estimate, Interval

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "$x^2$ & <script>alert(1)</script> \x07\u202e\\frac \n \"'"


def drawn():
    """One picture of each kind, small."""
    chance = np.random.default_rng(1)
    days = np.datetime64("2024-01-01", "us") + np.arange(40) * np.timedelta64(1, "D")
    x = chance.normal(170, 10, 200)
    ahead = days[-1] + np.arange(1, 6) * np.timedelta64(1, "D")
    estimates = [Estimate("a - b", 1.0, Interval(0.5, 1.5)), Estimate("a - c", 0.1, Interval(-0.5, np.inf))]
    return {
        "bell": plots.bell(x, "height", "cm"),
        "qq": plots.qq(x, "height", "cm"),
        "pit": plots.pit(chance.uniform(size=200)),
        "groups": plots.groups({"a": x[:50], "b": x[50:], "c": x[:1]}, "height", "cm"),
        "forest": plots.forest(estimates, margin=0.2),
        "residuals": plots.residuals(x, x - 170, abs(x) / x.sum(), "height"),
        "curve": plots.curve(np.array([1.0, 2.0, 4.0]), {"ours": x[:3]}, "It falls.", log=True),
        "control_chart": plots.control_chart(x[:40], 170, 140, 200, [3], "height"),
        "series": plots.series(x[:40], days, trend=x[:40], season=x[:40], remainder=x[:40], acf=x[:9] / 200, bound=0.3,
                               spectrum=(np.arange(2.0, 20), np.arange(18.0)), name="height"),
        "fan": plots.fan(days, x[:40], ahead, np.full(5, 170.0), np.arange(1.0, 6), truth=x[:5], name="height"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def pictures():
    return drawn()


def words(picture) -> str:
    """All that stands written in a picture."""
    return " ".join("".join(node.itertext()) for node in ET.fromstring(picture.svg).iter(f"{SVG}text"))


def test_every_picture_is_one_element_with_its_words(pictures):
    for name, picture in pictures.items():
        root = ET.fromstring(picture.svg)
        assert root.tag == f"{SVG}svg", name
        assert root.attrib["role"] == "img", name
        assert root.attrib["aria-label"].replace("\u00a0", " ") == f"{picture.title} {picture.alt}", name
        assert picture.title.endswith("."), name
        assert " ".join(picture.title.split()) in " ".join(words(picture).replace("\u00a0", " ").split()), name


def test_the_same_numbers_give_the_same_bytes(pictures):
    assert {name: picture.svg for name, picture in drawn().items()} == {n: p.svg for n, p in pictures.items()}


def test_nothing_is_fetched_and_nothing_leaks_into_the_page(pictures):
    for name, picture in pictures.items():
        outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", picture.svg)
        assert "http" not in outside, name
        assert not re.search(r"<(style|script|image|foreignObject|metadata)", outside), name
        assert set(re.findall(r'(?:href="|url\()(.)', outside)) <= {"#"}, name


def test_ink_is_the_readers(pictures):
    """Black that does not show in the dark is nowhere; the ink is currentColor."""
    for name, picture in pictures.items():
        assert "currentColor" in picture.svg, name
        assert drawing.INK not in picture.svg, name
        assert "#000000" not in picture.svg, name


def test_names_of_the_users_are_no_formula_and_no_element():
    x = np.arange(30.0)
    for picture in (plots.bell(x, HOSTILE, "$m$"), plots.groups({HOSTILE: x, "b": x}, HOSTILE), plots.qq(x, HOSTILE)):
        ET.fromstring(picture.svg)  # no character that XML has no place for
        assert "<script" not in picture.svg
        assert "$x^2$" in words(picture)
        assert "\u202e" not in picture.svg


def test_a_script_that_the_font_lacks_is_no_warning():
    assert "身長" in words(plots.bell(np.arange(9.0), "身長", "センチ"))


def test_the_bell_tells_the_shares_that_are_there():
    x = np.concatenate([np.zeros(60), np.full(20, 10.0), np.full(20, -10.0)])
    sd = x.std(ddof=1)
    picture = plots.bell(x, "x")
    assert sd < 10
    assert picture.title.startswith("60.0 % of x lie within one sd")
    assert "± 2 sd: 100 %, normal 95.45 %" in words(picture)


def test_a_bell_of_equal_values_says_so():
    assert plots.bell(np.full(4, 2.5), "x", "mm").title == "All 4 values of x are 2.5 mm."
    assert plots.bell(np.array([3.0]), "x").title == "All 1 values of x are 3."


def test_an_outlier_does_not_break_the_histogram():
    x = np.append(np.random.default_rng(0).normal(size=1000), 1e12)
    assert drawing.finite(x, "x").max() == 1e12
    assert len(plots.bell(x, "x").svg) < 100_000


def test_what_cannot_be_drawn_is_refused_in_one_line():
    for work in (
        lambda: plots.bell(np.array([np.nan, np.inf]), "x"),
        lambda: plots.qq(np.array([1.0, 1.0, 1.0]), "x"),
        lambda: plots.qq(np.array([1.0, 2.0]), "x"),
        lambda: plots.pit(np.array([1.5])),
        lambda: plots.groups({}, "x"),
        lambda: plots.groups({"a": np.array([np.nan])}, "x"),
        lambda: plots.forest([]),
        lambda: plots.residuals(np.array([1.0, 2, 3]), np.array([1.0, np.nan, 3])),
        lambda: plots.control_chart(np.empty(0), 0, 0, 0),
        lambda: plots.curve(np.arange(3), {"a": np.arange(2)}, "x"),
        lambda: plots.fan(np.arange(3), np.arange(3), np.arange(2), np.arange(1)),
    ):
        with pytest.raises(DataError) as error:
            work()
        assert "\n" not in str(error.value)


def test_qq_points_outside_the_band_are_few_for_normal_values_and_many_for_others():
    chance = np.random.default_rng(7)

    def outside(x):
        return int(plots.qq(x, "x").title.split()[0].replace(",", ""))

    assert outside(chance.normal(size=500)) < 25  # 5 % of 500, were mean and sd not taken from the sample
    assert outside(chance.exponential(size=500)) > 250


def test_many_points_are_thinned_and_that_is_told():
    x = np.random.default_rng(0).normal(size=30_000)
    picture = plots.qq(x, "x")
    assert picture.note.startswith("1,000 of 30,000 points are drawn, chosen by chance.")
    chosen = drawing.thinned(30_000)
    assert (len(chosen), chosen[0], chosen[-1]) == (1000, 0, 29_999)
    assert (np.diff(chosen) > 0).all()
    assert list(drawing.thinned(3)) == [0, 1, 2]


def test_a_long_line_keeps_its_peaks():
    from seqwise.reports.times import outline

    x = np.zeros(100_000)
    x[[777, 54_321]] = 5, -5
    x[99] = np.nan
    kept = outline(x)
    assert {0, 777, 54_321, 99_999} <= set(kept)
    assert len(kept) <= 1300


def test_groups_show_means_and_intervals_of_the_groups():
    picture = plots.groups({"a": np.array([1.0, 2.0, 3.0]), "b": np.array([7.0])}, "x", "s")
    assert picture.title == "Mean x is 2 s in a and 7 s in b."
    assert "a, n 3, mean 2 s; b, n 1, mean 7 s" in picture.alt


def test_a_forest_counts_the_intervals_that_leave_out_zero(pictures):
    assert pictures["forest"].title == "1 of 2 intervals leave out 0."


def test_signals_are_told_by_their_place_from_one_on(pictures):
    assert pictures["control_chart"].title.startswith("1 of 40 points of height signal")
    assert "Signals at 4." in pictures["control_chart"].alt
    assert plots.control_chart(np.arange(3.0), 1, 0, 3).title.startswith("None of 3 points")


def test_a_fan_tells_its_last_forecast(pictures):
    assert pictures["fan"].title == "height is forecast at 170 after 5 steps, between 160 and 180 with 95 %."
    bare = plots.fan(np.arange(3), np.arange(3.0), np.arange(3, 4), np.array([4.0]), name="x", unit="m")
    assert bare.title == "x is forecast at 4 m after 1 step."
    ET.fromstring(plots.fan(np.arange(3), np.arange(3.0), np.arange(3, 4), np.array([4.0]), np.array([1.0])).svg)


def test_the_unit_is_not_told_twice():
    assert drawing.label("height (cm)", "cm") == "height (cm)"
    assert drawing.label("height", "cm") == "height (cm)"
    assert drawing.label("a" * 50).endswith("…")


def test_calibrated_forecasts_stay_in_the_band():
    even = (np.arange(1000) + 0.5) / 1000
    assert plots.pit(even).title.startswith("0 of 10 bars leave the band")
    assert plots.pit(even**4).title.startswith(("9 of 10", "10 of 10", "8 of 10"))


def test_limits_are_drawn_beside_the_values_also_where_these_end_before():
    drawn = words(plots.bell(np.arange(9.0), "x", limits={"lower limit": -40.0, "upper limit": 7.5}))
    assert "lower limit -40" in drawn
    assert "upper limit 7.5" in drawn
    assert "−40" in drawn  # on the axis too
