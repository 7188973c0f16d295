"""`seqwise stats compare` and `regress`: which method is taken, and that its numbers are scipy's and numpy's."""

import re

import numpy as np
import polars
import pytest
from scipy import stats

from seqwise.cli import main
from seqwise.errors import ConfigError, DataError
from seqwise.verbs.stats.compare import compare
from seqwise.verbs.stats.regress import regress


@pytest.fixture
def table():
    chance = np.random.default_rng(3)
    kinds = np.repeat(["general", "academic", "vocational"], 30)
    write = chance.normal(50, 9, 90) + 6 * (kinds == "academic")
    return polars.DataFrame(
        {
            "item": np.tile(np.arange(30), 3),
            "prog": kinds,
            "sex": np.tile(["f", "m"], 45),
            "write (points)": write,
            "read": write / 2 + chance.normal(0, 4, 90),
            "passed": [value > 52 for value in write],
            "one": (write > 52).astype(int),
            "color": chance.choice(["red", "green", "blue"], 90),
        }
    )


@pytest.fixture
def file(table, tmp_path):
    path = tmp_path / "t.csv"
    table.write_csv(path)
    return str(path)


def two(table, tmp_path):
    """Two of the three groups."""
    path = tmp_path / "two.csv"
    table.filter(polars.col("prog") != "general").write_csv(path)
    return str(path)


def parts(table, value="write (points)", by="prog"):
    return [group[value].to_numpy() for _, group in table.group_by(by, maintain_order=True)]


def result(answer):
    return answer.parts[0].result


def test_three_groups_are_compared_by_analysis_of_variance(file, table):
    found = result(compare((file,), value="write", by="prog"))
    f, p = stats.f_oneway(*parts(table))
    assert (found.test.statistic, found.test.p) == pytest.approx((f, p), rel=1e-9)
    assert "points" in " ".join(found.sentences())
    assert "write (points)" not in " ".join(found.sentences())


def test_two_groups_are_compared_by_welch(table, tmp_path):
    found = result(compare((two(table, tmp_path),), value="write", by="prog"))
    a, b = parts(table.filter(polars.col("prog") != "general"))
    oracle = stats.ttest_ind(a, b, equal_var=False)
    assert (abs(found.test.statistic), found.test.p) == pytest.approx((abs(oracle.statistic), oracle.pvalue), rel=1e-9)


def test_the_same_items_are_compared_in_pairs(table, tmp_path):
    found = result(compare((two(table, tmp_path),), value="write", by="prog", paired="item"))
    oracle = stats.ttest_rel(*parts(table.filter(polars.col("prog") != "general")))
    assert (abs(found.test.statistic), found.test.p) == pytest.approx((abs(oracle.statistic), oracle.pvalue), rel=1e-9)


def test_three_groups_of_the_same_items_are_compared_within_them(file):
    assert "repeated" in result(compare((file,), value="write", by="prog", paired="item")).test.name


def test_a_number_to_compare_with(file, table):
    found = result(compare((file,), value="read", to=25))
    oracle = stats.ttest_1samp(table["read"].to_numpy(), 25)
    assert (found.test.statistic, found.test.p) == pytest.approx((oracle.statistic, oracle.pvalue), rel=1e-9)


def test_two_factors(file):
    found = result(compare((file,), value="write", by="prog", and_="sex"))
    assert found.by == ("prog", "sex")
    assert found.interaction.n


def test_ranks_come_first_where_asked_for(file):
    assert "Kruskal" in result(compare((file,), value="write", by="prog", method="ranks")).test.name


@pytest.mark.parametrize("value", ["passed", "one"])
def test_yes_and_no_are_compared_by_shares(table, tmp_path, value):
    """As many as Python counts, with Newcombe's interval of scipy's Wilson intervals."""
    found = result(compare((two(table, tmp_path),), value=value, by="prog"))
    a, b = (part.astype(int) for part in parts(table.filter(polars.col("prog") != "general"), "one"))
    assert [share.value for share in found.shares] == pytest.approx([a.mean(), b.mean()])
    wilson = stats.binomtest(int(a.sum()), 30).proportion_ci(method="wilson")
    assert (found.shares[0].interval.low, found.shares[0].interval.high) == pytest.approx(tuple(wilson), rel=1e-9)


def test_yes_and_no_of_the_same_items(table, tmp_path):
    found = result(compare((two(table, tmp_path),), value="passed", by="prog", paired="item"))
    assert "McNemar" in found.test.name


@pytest.mark.parametrize(
    ("words", "test"),
    [
        ({"value": "passed", "by": "prog"}, "score test of two shares, z"),
        ({"value": "passed", "by": "prog", "paired": "item"}, "McNemar's mid-p test, gained - lost"),
        ({"value": "color", "by": "prog"}, "chi-square test of independence, chi2"),
    ],
)
def test_counts_show_their_test_and_what_it_takes_for_granted(words, test, table, tmp_path):
    """As comparisons of means do, not in JSON alone."""
    found = result(compare((two(table, tmp_path),), **words))
    tests, granted = found.grids()[-2:]
    assert (tests.title, tests.rows[0][0]) == ("Tests", test)
    assert found.test.p in tests.rows[0]
    assert found.test.null in tests.note
    assert granted.title == "What is taken for granted"
    assert len(granted.rows) == len(found.test.assumptions) > 0


def test_texts_are_compared_by_a_table(file, table):
    found = result(compare((file,), value="color", by="prog"))
    counts = table.pivot("prog", index="color", values="item", aggregate_function="len").sort("color")
    oracle = stats.chi2_contingency(counts.drop("color").to_numpy())
    assert found.test.statistic == pytest.approx(oracle.statistic, rel=1e-9)


def test_texts_alone_are_compared_with_equal_shares(file, table):
    found = result(compare((file,), value="color"))
    oracle = stats.chisquare(table["color"].value_counts()["count"].to_numpy())
    assert found.test.statistic == pytest.approx(oracle.statistic, rel=1e-9)


def test_rows_that_lack_a_value_are_left_out_and_counted(table, tmp_path):
    holes = table.with_columns(
        polars.when(polars.int_range(90) < 4).then(None).otherwise(polars.col("read")).alias("read"),
        polars.when(polars.int_range(90) == 89).then(None).otherwise(polars.col("prog")).alias("prog"),
    )
    path = tmp_path / "h.csv"
    holes.write_csv(path)
    answer = compare((str(path),), value="read", by="prog")
    assert answer.notes == ("5 of 90 rows are left out, as read or prog is missing there.",)
    assert sum(result(answer).test.n.values()) == 85


@pytest.mark.parametrize(
    "words",
    [["--value", "write", "--by", "prog"], ["--value", "write", "--by", "prog", "--and", "sex"],
     ["--value", "write", "--to", "50"], ["--value", "color", "--by", "prog"], ["--value", "color"]],
)  # fmt: skip
def test_every_comparison_has_its_report(file, tmp_path, capsys, words):
    place = tmp_path / "r.html"
    assert main(["stats", "compare", file, *words, "--report", str(place)]) == 0
    html = place.read_text()
    assert html.count("<svg") == (2 if words[2:] == ["--by", "prog"] and "write" in words else 1)
    assert "<h2>Does " in html
    assert capsys.readouterr().out.strip().endswith(f"report: {place}")


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"value": "write"}, "nothing to compare with"),
        ({"value": "write", "by": "prog", "to": 3}, "--to with groups"),
        ({"value": "write", "and_": "sex"}, "--and without --by"),
        ({"value": "write", "paired": "item"}, "--paired without --by"),
        ({"value": "write", "by": "prog", "and_": "sex", "paired": "item"}, "--and with --paired"),
        ({"value": "color", "to": 3}, "--to for color"),
        ({"value": "color", "by": "prog", "and_": "sex"}, "--and for color"),
        ({"value": "color", "by": "prog", "paired": "item"}, "--paired for 3 kinds"),
        ({"value": "wirte", "by": "prog"}, "no column 'wirte'"),
        ({"value": "write", "by": "progs"}, "no column 'progs'"),
    ],
)
def test_what_cannot_be_compared_is_refused(file, flags, told):
    with pytest.raises((ConfigError, DataError), match=re.escape(told)):
        compare((file,), **flags)


def test_lines_are_those_of_least_squares(file, table):
    """numpy.linalg.lstsq is the oracle; texts become columns of 0 and 1."""
    found = result(regress((file,), target="read", on="write,prog"))
    kinds, write = table["prog"].to_numpy(), table["write (points)"].to_numpy()
    x = np.column_stack([np.ones(90), write, kinds == "general", kinds == "vocational"]).astype(float)
    oracle = np.linalg.lstsq(x, table["read"].to_numpy(), rcond=None)[0]
    assert [one.estimate.value for one in found.coefficients] == pytest.approx(list(oracle), rel=1e-8)
    assert [one.name for one in found.coefficients][1:] == ["write", "prog general", "prog vocational"]


@pytest.mark.parametrize(
    "words",
    [["--target", "read", "--on", "write,prog"], ["--target", "read", "--on", "write", "--errors", "HC3"],
     ["--target", "read", "--on", "write", "--cluster", "item"], ["--target", "passed", "--on", "read", "--logistic"],
     ["--target", "one", "--on", "read,prog", "--logistic", "--cluster", "item"]],
)  # fmt: skip
def test_regressions_are_told_and_drawn(file, tmp_path, capsys, words):
    place = tmp_path / "r.html"
    assert main(["stats", "regress", file, *words, "--report", str(place)]) == 0
    assert "What goes with" in place.read_text()
    assert "read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"target": "read", "on": "write", "errors": "HC3", "cluster": "item"}, "--errors HC3 with --cluster"),
        ({"target": "read", "on": ","}, "--on without a column"),
        ({"target": "read", "on": "read"}, "read"),
        ({"target": "prog", "on": "read", "logistic": True}, "3 different texts in prog"),
        ({"target": "color", "on": "read"}, "color"),
    ],
)
def test_what_cannot_be_explained_is_refused(file, flags, told):
    with pytest.raises((ConfigError, DataError), match=re.escape(told)):
        regress((file,), **flags)
