"""`seqwise stats describe` and what all verbs of statistics share: formats, JSON, reports, hostile names, bad input."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import polars
import pytest

from seqwise.cli import main
from seqwise.data.cells import ColumnSettings
from seqwise.errors import ConfigError, DataError
from seqwise.stats import quantiles
from seqwise.stats.description import SHARES
from seqwise.verbs.stats import describe as verb
from seqwise.verbs.stats.describe import describe
from seqwise.verbs.stats.normal import normal

ROWS = 300
HOSTILE = '<script>alert(1)</script> $x^2$ & "q" \''


def frame(rows=ROWS):
    chance = np.random.default_rng(5)
    return polars.DataFrame(
        {
            "height [cm]": chance.normal(170, 10, rows).round(2),
            "income": np.exp(chance.normal(size=rows)),
            "group": [["a", "b", None][at] for at in chance.integers(0, 3, rows)],
            "day": [f"2024-01-{1 + at % 28:02}" for at in range(rows)],
            "member": [bool(at % 3) for at in range(rows)],
        }
    ).with_columns(
        polars.when(polars.int_range(rows) % 10 == 0).then(None).otherwise(polars.col("income")).alias("income")
    )


@pytest.fixture
def files(tmp_path):
    """The same table in three formats."""
    table = frame()
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ndjson(tmp_path / "t.jsonl")
    return {ending: str(tmp_path / f"t.{ending}") for ending in ("csv", "parquet", "jsonl")}


def found(answer):
    return answer.parts[0].result


def test_the_format_makes_no_difference(files):
    told = {ending: describe((path,)).to_dict() for ending, path in files.items()}
    assert told["csv"] == told["parquet"] == told["jsonl"]


def test_columns_are_those_of_numpy(files):
    """numpy is the oracle; the unit comes from the name of the column."""
    height, income = found(describe((files["csv"],))).numbers
    x = frame()["height [cm]"].to_numpy()
    assert (height.name, height.unit, height.n, height.missing) == ("height", "cm", ROWS, 0)
    assert height.mean.value == pytest.approx(x.mean(), rel=1e-14)
    np.testing.assert_array_equal(height.quantiles, np.quantile(x, SHARES))
    assert (income.n, income.missing) == (270, 30)


def test_other_columns_are_counted(files):
    group, day, member = found(describe((files["csv"],))).texts
    true = frame()["group"]
    assert (group.n, group.missing, group.distinct) == (ROWS - true.null_count(), true.null_count(), 2)
    assert (day.first, day.last) == ("2024-01-01", "2024-01-28")
    assert dict(member.most) == {"true": 200, "false": 100}


def test_several_files_are_one_table(files, tmp_path):
    half = frame()
    half[:100].write_csv(tmp_path / "a.csv")
    half[100:].write_csv(tmp_path / "b.csv")
    both = describe((str(tmp_path / "a.csv"), str(tmp_path / "b.csv")))
    assert both.to_dict() == describe((files["csv"],)).to_dict()


def test_some_columns_alone_and_without_their_units(files):
    told = found(describe((files["csv"],), columns="height,group"))
    assert [one.name for one in (*told.numbers, *told.texts)] == ["height", "group"]
    assert [one.name for one in found(describe((files["csv"],), columns="income")).numbers] == ["income"]


def test_more_values_than_are_held_are_told_within_a_bound(files, monkeypatch):
    """The rank of each quantile, counted in all values, is within the bound that is told."""
    for module, name, value in ((verb, "HELD", 0), (verb, "FEWEST", 0), (quantiles, "K", 16)):
        monkeypatch.setattr(module, name, value)
    answer = describe((files["csv"],), report=None)
    height = found(answer).numbers[0]
    x = np.sort(frame()["height [cm]"].to_numpy())
    assert 0 < height.bound < 0.2
    for share, value in zip(SHARES, height.quantiles, strict=True):
        assert np.searchsorted(x, value, "left") - height.bound * ROWS <= share * ROWS
        assert share * ROWS <= np.searchsorted(x, value, "right") + height.bound * ROWS
    assert any("off by" in sentence for sentence in answer.sentences())
    assert height.mean.value == pytest.approx(x.mean(), rel=1e-13)


def test_json_holds_every_digit(files, capsys):
    assert main(["stats", "describe", files["csv"], "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    x = frame()["height [cm]"].to_numpy()
    assert told["Columns"]["numbers"][0]["maximum"] == x.max()
    assert told["Columns"]["numbers"][0]["mean"]["value"] == found(describe((files["csv"],))).numbers[0].mean.value


def test_the_terminal_shows_sentences_then_tables(files, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["stats", "describe", files["csv"]]) == 0
    out = capsys.readouterr().out
    assert out.startswith("300 rows, 2 columns of numbers and 3 others.")
    assert out.index("Numbers") < out.index("Values below which so many lie") < out.index("Texts")
    assert max(map(len, out.splitlines())) <= 70  # wide tables are cut into several
    assert out.count("height [cm]") >= 3


class Page(HTMLParser):
    """Elements and texts."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.tags.append(tag)

    def handle_data(self, data):  # noqa: D102
        self.texts.append(data)


def test_a_report_stands_alone(files, tmp_path):
    place = tmp_path / "r.html"
    answer = describe((files["csv"],), report=place)
    page = Page(place.read_text())
    assert page.tags.count("svg") == 2
    assert "300 rows, 2 columns of numbers and 3 others." in page.texts
    assert answer.notes == (f"report: {place}",)
    assert not re.search(r'(src|href)="(?!#)', place.read_text())


def test_hostile_names_and_texts_are_texts(tmp_path, capsys):
    path, place = tmp_path / "h.csv", tmp_path / "h.html"
    polars.DataFrame({HOSTILE: [1.0, 2.0, 4.0], "t": [HOSTILE, "\x1b[31m", "b"]}).write_csv(path)
    assert main(["stats", "describe", str(path), "--report", str(place)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    page = Page(place.read_text())
    assert "script" not in page.tags
    assert any(HOSTILE in text for text in page.texts)


def test_the_report_is_whole_or_not_there(files, tmp_path, monkeypatch):
    place = tmp_path / "r.html"
    place.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(Exception, match="cannot be written"):
        describe((files["csv"],), report=place)
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no data"),
        (["{csv}", "--columns", "hieght"], "Try --columns 'height'"),
        (["{csv}", "--columns", "income,income"], "each column once"),
        (["{folder}/none.csv"], "none.csv"),
        (["{folder}/empty.csv"], "empty"),
        (["{folder}/late.csv", "--columns", "x"], "late.csv:2502"),
    ],
)
def test_bad_input_is_one_line(files, tmp_path, capsys, words, told):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "late.csv").write_text("x\n" + "1\n" * 2500 + "ten\n")
    given = [word.format(csv=files["csv"], folder=tmp_path) for word in words]
    assert main(["stats", "describe", *given]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert told in error


def test_a_column_with_a_text_further_on_counts_as_text_unless_it_is_asked_for(tmp_path):
    """One code among numbers, such as 136A, must not keep the other columns from being told."""
    file = tmp_path / "t.csv"
    file.write_text("code,x\n" + "".join(f"{at},{at / 2}\n" for at in range(2500)) + "136A,1250\n")
    answer = describe((str(file),))
    found = answer.parts[0].result
    assert [one.name for one in found.numbers] == ["x"]
    assert (found.numbers[0].n, found.texts[0].name, found.texts[0].n) == (2501, "code", 2501)
    assert answer.notes == (
        f"A column counts as text, as {file}:2502 has '136A' in column \"code\"; for its numbers try mending it, "
        "or --marks 136A where it stands for a missing number.",
    )
    marked = describe((str(file),), written=ColumnSettings(marks=("136A",)))
    assert [one.n for one in marked.parts[0].result.numbers] == [2500, 2501]


def test_numbers_beyond_reach_are_told_by_their_size(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("x\n1e300\n5e300\n")
    with pytest.raises(DataError, match=r'column "x", whose values reach 5e\+300'):
        describe((str(file),))


def test_the_interval_of_a_mean_is_told_in_digits_that_tell_its_ends_apart(tmp_path, capsys):
    file = tmp_path / "t.csv"
    file.write_text("x\n" + "".join(f"{1_000_000 + at % 3}\n" for at in range(300)))
    assert main(["stats", "describe", str(file)]) == 0
    out = capsys.readouterr().out
    assert "1,000,001 " in out
    assert "1,000,000.91" in out
    assert "1,000,001.09" in out


def test_errors_are_those_of_the_house(files):
    with pytest.raises(ConfigError):
        describe(())
    with pytest.raises(DataError):
        describe(("nowhere.csv",))


def test_signs_of_currency_and_percent_are_told(tmp_path):
    path = tmp_path / "us.csv"
    path.write_text('sales,growth,net,shop\n"$2,739.05",-6.9%,(272),a\n"$1,810.75",4.0 %,(15),b\n$17,3%,"1,200",c\n')
    told = " ".join(describe((str(path),)).notes)
    assert "sales counts as text, as '$2,739.05' is no plain number; for its numbers try --signs $." in told
    assert "growth counts as text, as '-6.9%' is no plain number; for its numbers try --signs %." in told
    assert "shop" not in told
    with pytest.raises(DataError, match=r"'-6.9%': needs a column of numbers. Try --signs %"):
        normal((str(path),), column="growth")
    with pytest.raises(DataError, match=r"""'\(272\)'.* Try --signs "\(\)\""""):
        normal((str(path),), column="net")


def test_dates_with_points_are_no_numbers_where_points_set_thousands_apart(tmp_path):
    path = tmp_path / "eu.csv"
    path.write_text("day;sales\n31.01.2024;1.234,5\n01.02.2024;999,0\n")
    answer = describe((str(path),), written=ColumnSettings(thousands=".", decimal=","))
    assert not answer.notes
    found = answer.parts[0].result
    assert [one.name for one in found.numbers] == ["sales"]
    assert [one.name for one in found.texts] == ["day"]


@pytest.mark.parametrize("words", [("describe", "--report"), ("normal", "--column", "x", "--report"),
                                   ("standardize", "--out", "z.csv", "--save")])  # fmt: skip
def test_the_data_are_not_overwritten(words, tmp_path, monkeypatch, capsys):
    """By whatever flag, and by whatever name of the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text("x\n1\n2\n4\n")
    assert main(["stats", words[0], "data.csv", *words[1:], str(tmp_path / "data.csv")]) == 2
    assert f"{words[-1]} {tmp_path / 'data.csv'}, which is read: needs another file." in capsys.readouterr().err
    assert (tmp_path / "data.csv").read_text().startswith("x\n1")
