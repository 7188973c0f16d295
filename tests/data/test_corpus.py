import pytest

from seqwise.config import check, resolve
from seqwise.data.corpus import Pairs, TextSettings
from seqwise.errors import ConfigError


def told(**chosen: object) -> str:
    with pytest.raises(ConfigError) as caught:
        check(TextSettings(**chosen))
    return str(caught.value)


def test_the_defaults_are_without_fault():
    check(TextSettings())


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "latin-1", "cp1252", "utf-16", "gb18030", "utf-8-sig"])
def test_encodings_go_by_any_of_their_names(encoding):
    check(TextSettings(encoding=encoding))


@pytest.mark.parametrize(
    ("given", "mend"), [("cp125", "cp1252"), ("hex", "utf-8"), ("shift-jsi", "shift_jis"), ("\0", "utf-8")]
)
def test_what_is_no_encoding_of_text_is_refused_with_the_nearest(given, mend):
    message = f"--data.encoding {given}: needs an encoding that Python knows. Try --data.encoding {mend}."
    assert told(encoding=given) == message


@pytest.mark.parametrize("chosen", [("1", None), ("1", "fr"), ("en", "2"), ("0", "1"), ("2", "2"), (None, "2")])
def test_columns_go_by_name_or_by_number_but_not_by_both(chosen):
    allowed = "needs two names, or two different numbers counted from 1."
    mend = "--data.source 1 --data.target 2, or the names in the first row."
    message = told(source=chosen[0], target=chosen[1])
    assert message.endswith(f": {allowed} Try {mend}")
    assert "None" not in message


def test_columns_of_labels_are_checked_alike():
    assert told(text="1", label="stars").startswith("--data.text 1 with --data.label stars: needs two names")


@pytest.mark.parametrize("languages", [("en",), ("en", "fr", "de"), ("en", "EN")])
def test_languages_are_two_and_different(languages):
    assert told(languages=languages) == (
        f"--data.languages {' '.join(languages)}: needs two different languages, source and target. "
        "Try --data.languages en fr."
    )


def test_every_setting_can_be_a_flag():
    flags = "--format tsv --encoding cp1252 --source en --target fr --text t --label l --languages en fr"
    more = "--on-bad-row skip --max-length none --max-ratio none --drop-duplicates false --drop-leaks false"
    assert resolve(TextSettings, flags=f"{flags} {more}".split()) == TextSettings(
        format="tsv",
        encoding="cp1252",
        source="en",
        target="fr",
        text="t",
        label="l",
        languages=("en", "fr"),
        on_bad_row="skip",
        max_length=None,
        max_ratio=None,
        drop_duplicates=False,
        drop_leaks=False,
    )


def test_a_pair_knows_its_place_through_every_choice():
    pairs = Pairs(("a", "b", "c"), ("x", "y", "z"), ("f.en", "f.en", "g.en"), (1, 4, 1))
    chosen = pairs.select([2, 1])
    assert (chosen.sources, chosen.targets) == (("c", "b"), ("z", "y"))
    assert [chosen.where(item) for item in range(len(chosen))] == ["g.en:1", "f.en:4"]


def test_pairs_may_come_from_no_file():
    pairs = Pairs.of(["a", "b"], ["x", "y"], "phrasebook")
    assert (len(pairs), pairs.where(1)) == (2, "phrasebook:2")


def test_pairs_that_do_not_match_are_no_pairs():
    with pytest.raises(ValueError, match="not equally many"):
        Pairs.of(["a", "b"], ["x"])
