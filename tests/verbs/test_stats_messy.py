"""`seqwise stats` on tables as spreadsheets export them: signs, labels that are missing, products in `--on`."""

import numpy as np
import pandas
import pytest
import statsmodels.formula.api as smf

from seqwise.data.cells import ColumnSettings
from seqwise.errors import ConfigError, DataError
from seqwise.verbs.stats.compare import compare
from seqwise.verbs.stats.control import control
from seqwise.verbs.stats.describe import describe
from seqwise.verbs.stats.normal import normal
from seqwise.verbs.stats.regress import regress


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.csv"
    rows = ["1.036,50 €;4,8 %;a", "NA;11,9 %;b", "2.421,31 €;-22,5%;a", "€ 3.000;-;b", "-€5,5;9,1 %;a", "7 €;8 %;b"]
    path.write_text("\n".join(["﻿sales;margin;shop", *rows, ""]), "utf-8")
    return (str(path),)


def european(*signs):
    return ColumnSettings(thousands=".", decimal=",", signs=signs)


def test_signs_that_are_named_are_dropped(export):
    found = describe(export, written=european("%", "€")).parts[0].result
    told = {one.name: (one.n, one.mean.value) for one in found.numbers}
    assert told["sales"] == (5, pytest.approx(np.mean([1036.5, 2421.31, 3000, -5.5, 7])))
    assert told["margin"] == (5, pytest.approx(np.mean([4.8, 11.9, -22.5, 9.1, 8])))


def test_numbers_with_signs_are_not_compared_as_if_each_were_a_kind(export):
    with pytest.raises(DataError, match=r"'4,8 %' in 'margin', --value: needs plain numbers.* Try --signs %"):
        compare(export, value="margin", by="shop", written=european())
    with pytest.raises(DataError, match="Try --signs %"):
        regress(export, target="shop", on="margin", logistic=True, written=european())
    found = compare(export, value="margin", by="shop", written=european("%")).parts[0].result
    assert [group.mean for group in found.groups] == pytest.approx([np.mean([4.8, -22.5, 9.1]), np.mean([11.9, 8])])


@pytest.mark.parametrize(("cells", "given"), [(["12 %", "0.13", "14 %"], "'0.13' in column"),
                                              (["$5", "€7", "$8"], "'€7' in column")])  # fmt: skip
def test_a_column_has_one_sign_or_none(cells, given, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x", *cells, ""]))
    with pytest.raises(DataError, match=given):
        normal((str(path),), column="x", written=ColumnSettings(signs=("%", "$", "€")))


@pytest.mark.parametrize(("sign", "cells"), [("$", ["$5.50", "($1.50)", "-$2"]), ("()", ["5.50", "(1.50)", "-2"])])
def test_brackets_of_accounts_are_a_minus(sign, cells, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x", *cells, ""]))
    (found,) = describe((str(path),), written=ColumnSettings(signs=(sign,))).parts[0].result.numbers
    assert (found.minimum, found.maximum, found.n) == (-2, 5.5, 3)
    assert found.mean.value == pytest.approx(2 / 3)


def test_a_sign_is_no_part_of_a_number(export):
    with pytest.raises(ConfigError, match=r"--signs '.': needs a text without digits, points and commas"):
        describe(export, written=european("."))


@pytest.mark.parametrize(("mark", "flag"), [("\u00a0", " "), ("\u202f", " "), ("’", "'")])
def test_thousands_may_be_set_apart_by_spaces_that_do_not_break(mark, flag, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"x;y\n1{mark}234,50;1\n2{mark}000;2\n", "utf-8")
    with pytest.raises(DataError, match=f"""--thousands "{flag}" --decimal ,"""):
        normal((str(path),), column="x")
    found = describe((str(path),), written=ColumnSettings(thousands=flag, decimal=",")).parts[0].result
    assert found.numbers[0].mean.value == 1617.25


@pytest.fixture
def arms(tmp_path):
    chance = np.random.default_rng(2)
    labels = ["a"] * 12 + ["b"] * 12 + ["NA"] * 3 + ["None"] * 12
    values = chance.normal(10, 1, 39)
    path = tmp_path / "arms.csv"
    path.write_text("\n".join(["arm,crp", *(f"{one},{value}" for one, value in zip(labels, values, strict=True)), ""]))
    return (str(path),)


def test_a_label_that_is_missing_is_no_group(arms):
    """NA is none, as in columns of numbers and in R and pandas; None may be a treatment, unless a flag says no."""
    answer = compare(arms, value="crp", by="arm")
    assert [group.name for group in answer.parts[0].result.groups] == ["None", "a", "b"]
    assert answer.notes == ("3 of 39 rows are left out, as crp or arm is missing there ('NA' names no group).",)
    (told,) = describe(arms).parts[0].result.texts
    assert (told.n, told.missing, told.distinct) == (36, 3, 3)
    marked = compare(arms, value="crp", by="arm", written=ColumnSettings(marks=("None",)))
    assert [group.name for group in marked.parts[0].result.groups] == ["a", "b"]
    assert marked.notes[0].endswith("('NA' and 'None' name no group).")


@pytest.fixture
def doses(tmp_path):
    chance = np.random.default_rng(7)
    table = pandas.DataFrame({"dose [mg]": chance.normal(5, 1, 60), "age": chance.normal(50, 9, 60)})
    table["sex"] = chance.choice(["f", "m"], 60)
    table["y"] = table.iloc[:, 0] * (1 + 2 * (table.sex == "m")) + chance.normal(0, 1, 60)
    table.loc[3, "age"] = np.nan
    table.loc[10, "y"] = 90
    path = tmp_path / "doses.csv"
    table.to_csv(path, index=False)
    return (str(path),), table.rename(columns={"dose [mg]": "dose"})


def test_regression_by_products_of_columns(doses):
    data, table = doses
    found = regress(data, target="y", on="age,dose*sex").parts[0].result
    peer = smf.ols("y ~ age + dose * sex", table).fit()
    values = {one.name: one.estimate.value for one in found.coefficients}
    assert list(values) == ["intercept", "age", "dose", "sex m", "dose:sex m"]
    assert values["dose:sex m"] == pytest.approx(peer.params["dose:sex[T.m]"], rel=1e-9)
    same = regress(data, target="y", on="age,dose,sex,dose:sex").parts[0].result
    assert [one.estimate.value for one in same.coefficients] == pytest.approx(list(values.values()))


def test_rows_that_stand_out_are_numbered_as_in_the_file(doses):
    """Also behind rows that were left out."""
    data, table = doses
    found = regress(data, target="y", on="age,dose").parts[0].result
    assert table.y.idxmax() == 10
    assert found.diagnostics.worst[0].row == 11


@pytest.mark.parametrize(("on", "told"), [("dose:sex", r'dose:sex in --on without its columns.* Try --on "dose\*sex"'),
                                          ("dose,dose*dose", "products of two different columns"),
                                          ("dose*sex*age", "products of two different columns"),
                                          ("dose*sex,sex:dose", "each product once"),
                                          ("dose*sexx", "no column 'sexx'")])  # fmt: skip
def test_products_that_say_nothing_are_refused(doses, on, told):
    with pytest.raises(ConfigError, match=told):
        regress(doses[0], target="y", on=on)


def test_products_are_not_for_odds(doses):
    with pytest.raises(ConfigError, match="products in --on with --logistic"):
        regress(doses[0], target="sex", on="dose*age", logistic=True)


def test_a_target_of_texts_is_sent_to_logistic(doses):
    with pytest.raises(ConfigError, match=r"'sex' in --target, which holds no numbers.* Try --logistic"):
        regress(doses[0], target="sex", on="dose")


def test_subgroups_that_come_again_are_told(tmp_path):
    """As where hours are counted anew each day: 1, 2, 3, 1, 2, 3."""
    x = np.random.default_rng(0).normal(0, 1, 24)
    path = tmp_path / "t.csv"
    rows = [f"{at // 2 % 3 + 1},{at // 2},{value}" for at, value in enumerate(x)]
    path.write_text("\n".join(["hour,part,x", *rows, ""]))
    again = "3 of 3 subgroups come again after others, such as 1: all rows of one hour count as taken together."
    assert control((str(path),), value="x", subgroup="hour").notes[0].startswith(again)
    assert not control((str(path),), value="x", subgroup="part").notes


def table(path, *rows):
    path.write_text("\n".join([*rows, ""]), "utf-8")
    return (str(path),)


def test_points_that_may_set_thousands_apart_are_told(tmp_path):
    """Of cells between semicolons, as only tables with decimal commas need them."""
    told = (
        "'1.234' in 'x' is read as 1.234: if its point sets thousands apart, --thousands \".\" --decimal , reads it so."
    )
    data = table(tmp_path / "t.csv", "x;y", "1.234;0.123", "999;2.500", "12.500;1.5")
    assert told in describe(data).notes
    assert normal(data, column="x").notes == (told,)
    assert not normal(data, column="y").notes
    assert not normal(data, column="x", written=european()).notes
    assert not normal(table(tmp_path / "c.csv", "x,y", "1.234,1", "999,2", "12.500,3"), column="x").notes


@pytest.mark.parametrize("last", ["Total;9;", '"Grand total:";9;', "Summe;9;", "Gesamt;9;;"])
def test_a_last_row_of_totals_is_told(last, tmp_path):
    data = table(tmp_path / "t.csv", "id;x;g", "1;2;a", "2;3;b", "3;4;a", "4;6;b", last, "")
    told = f"The last row looks like a total ('{last.strip(';9').strip(chr(34)).rstrip(':')}')"
    assert any(note.startswith(told) for note in describe(data).notes)
    assert normal(data, column="x").notes[0].startswith(told)
    assert compare(data, value="x", by="g").notes == ("1 of 5 rows are left out, as x or g is missing there.",)
    assert not normal(table(tmp_path / "n.csv", "id;x", "Total;2", "2;3", "3;5", "subtotals;7"), column="x").notes
