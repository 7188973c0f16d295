import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.config import resolve


@pytest.mark.parametrize(
    "words",
    [
        ["--model.width", "8"],
        ["--model.width=8"],
        ["--width", "8"],
        ["--width=8"],
        ["--model.width", "9", "--width", "8"],
        ["--model.width=0x8", "--width", "8"],
    ],
)
def test_a_flag_has_many_spellings(read, words):
    assert read(None, *words).model.width == 8


@pytest.mark.parametrize("words", [["--time-limit", "10m"], ["--training.time_limit=600"], ["--time_limit", "600s"]])
def test_kebab_and_snake_are_the_same(read, words):
    assert read(None, *words).training.time_limit == 600.0


@pytest.mark.parametrize(
    ("words", "resume"),
    [
        (["--resume"], True),
        (["--no-resume"], False),
        (["--resume", "false"], False),
        (["--resume=no"], False),
        (["--resume", "on"], True),
        (["--resume", "--no-resume"], False),
        (["--no-resume", "--resume"], True),
    ],
)
def test_switches_need_no_value(read, words, resume):
    assert read("resume: true\n", *words).resume is resume


@pytest.mark.parametrize("word", ["--no-shard", "--training.no-shard", "--no-training.shard", "--training.no_shard"])
def test_no_may_stand_before_the_full_name_or_the_last(read, word):
    assert read("training: {shard: true}\n", word).training.shard is False


def test_a_name_that_begins_with_no_is_itself(read):
    assert read(None, "--no-repeat", "3").training.no_repeat == 3


def test_a_list_takes_all_words_up_to_the_next_flag(read):
    settings = read(None, "--train", "a.en", "a.fr", "-", "-5", "--out", "x", "--train", "b")
    assert settings.train == ("a.en", "a.fr", "-", "-5", "b")
    assert read("train: [a]\n", "--train", "[]").train == ()
    assert read("train: [a]\n", "--train=null").train == ("null",)


def test_a_pair_takes_two_words_and_leaves_the_third(read, faults):
    assert read(None, "--betas", "0.8", "1e-1").training.betas == (0.8, 0.1)
    assert faults(None, "--betas", "0.8", "0.9", "1")[0].startswith("the word 1: needs a flag that it belongs to.")


def test_negative_numbers_are_values(read):
    assert read(None, "--model", "lstm", "--forget-bias", "-1.5").model.forget_bias == -1.5


def test_none_takes_a_value_away(read):
    assert (
        read("training: {steps: 5, time_limit: 5m}\n", "--steps", "none", "--time-limit=null").training
        == read().training
    )


def test_a_section_may_be_named_for_its_kind(read):
    assert read(None, "--model", "lstm", "--model.width", "8").model.width == 8
    assert read(None, "--attention", "plain").model.attention.kind == "plain"


def test_a_short_name_that_several_settings_have_lists_them_all(faults):
    assert faults(None, "--dropout", "0.5", "0.6") == [
        "--dropout: needs a flag that means one setting. "
        "Try --model.attention.dropout, --training.dropout or --noise.dropout."
    ]
    assert "--model.attention.kind or --noise.kind" in faults(None, "--kind", "plain")[0]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--modle.width", "8"], "--modle.width: needs a setting that is known. Try --model.width."),
        (["--widht=8"], "--widht: needs a setting that is known. Try --model.width."),
        (["--resum"], "--resum: needs a setting that is known. Try --resume."),
        (["--no-width"], "--no-width: needs a setting that is known. Try --model.width."),
        (["--qqqq", "1", "2"], "--qqqq: needs a setting that is known. Try --help for all of them."),
        (["--no-resume=3"], "--no-resume=3: needs no value, since it says no. Try --resume=3."),
        (["--out"], "--out without a value: needs a text. Try --out TEXT."),
        (["--model"], "--model without a value: needs transformer or lstm. Try --model transformer."),
        (["--betas"], "--betas without a value: needs a list of 2: a number and a number. "
         "Try --training.betas 1.0 1.0."),
        (["--betas", "1"], "--betas 1: needs a list of 2: a number and a number. Try --training.betas 0.9 0.98."),
        (["a.yaml"], "the word a.yaml: needs a flag that it belongs to. Try a flag before it, such as --train."),
        (["--resume", "maybe"], "the word maybe: needs a flag that it belongs to. "
         "Try a flag before it, such as --train."),
        (["--resume=maybe"], "--resume maybe: needs true or false. Try --resume false."),
        (["-x"], "the word -x: needs a flag that it belongs to. Try a flag before it, such as --train."),
        (["--"], "the word --: needs a flag that it belongs to. Try a flag before it, such as --train."),
        (["--model", "gru"], "--model gru: needs transformer or lstm. Try --model.kind transformer."),
        (["--training", "x"], "--training x: needs one of the settings below it. Try --training.NAME VALUE."),
        (["--training"], "--training without a value: needs one of its settings. Try --training.NAME VALUE."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_flag_is_told_in_one_line(faults, words, told):
    assert faults(None, *words) == [told]


@settings(deadline=None)
@given(st.data())
def test_every_setting_can_be_given_as_a_flag(kind, data):
    """The round trip: random settings, each written as `--name=value`, are read back equal."""
    text = st.text()
    given = kind(
        train=tuple(data.draw(st.lists(text.filter(lambda one: one != "[]")))),
        out=data.draw(text),
        resume=data.draw(st.booleans()),
        on_bad_row=data.draw(st.sampled_from(["stop", "skip", "no"])),
        training=dataclasses.replace(
            kind().training,
            steps=data.draw(st.none() | st.integers(1)),
            dropout=data.draw(st.floats(0, 0.95)),
            no_repeat=data.draw(st.integers(0)),
        ),
    )
    words = [f"--train={one}" for one in given.train]
    words += [f"--out={given.out}", f"--resume={given.resume}", f"--on-bad-row={given.on_bad_row}"]
    words += [f"--{name.replace('_', '-')}={getattr(given.training, name)}" for name in ("steps", "no_repeat")]
    words += [f"--training.dropout={given.training.dropout}"]
    assert resolve(kind, None, words) == given
