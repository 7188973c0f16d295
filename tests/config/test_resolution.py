import pytest

from seqwise.config import attempt, check, from_mapping, take_file, word
from seqwise.config.limits import Duration, Range, seconds, span
from seqwise.errors import ConfigError


def test_without_file_and_flags_everything_is_as_its_class_says(read, kind):
    assert read() == kind()


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(read):
    settings = read("out: a\nmodel:\n  width: 128\n  heads: 2\n", "--model.heads", "8")
    assert (settings.out, settings.model.width, settings.model.heads) == ("a", 128, 8)
    assert settings.training.dropout == 0.1


def test_a_flag_does_not_hide_what_stands_where_its_section_belongs(read, faults):
    """`model: lstm` with --model.width was read as if the first were not there; an empty section still is none."""
    told = ["c.yaml:1: model=lstm: needs settings below it. Try model: {kind: lstm}."]
    assert faults("model: lstm\n", "--model.width", "8") == told
    assert read("model:\n", "--model.width", "8", "--model.heads", "2").model.width == 8


def test_keys_may_be_kebab_or_snake(read):
    settings = read("on-bad-row: skip\ntraining:\n  time-limit: 5m\n  no_repeat: 3\n")
    assert (settings.on_bad_row, settings.training.time_limit, settings.training.no_repeat) == ("skip", 300.0, 3)


def test_a_kind_chooses_among_dataclasses_and_the_first_is_the_default(read):
    assert read("model:\n  width: 64\n").model.kind == "transformer"
    assert read("model:\n  kind: lstm\n").model.width == 512
    assert read("model:\n  kind: lstm\n  forget_bias: 2\n", "--model.width=16").model.forget_bias == 2.0


def test_a_missing_section_appears_once_something_in_it_is_given(read):
    assert read().noise is None
    assert read("noise:\n  dropout: 0.5\n").noise.dropout == 0.5
    assert read("noise:\n  dropout: 0.5\n", "--noise", "none").noise is None


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "0.0001", ".0001", "1.0e-4"])
def test_every_way_to_write_a_number_is_a_number(read, text):
    assert read(f"training:\n  dropout: {text}\n").training.dropout == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("text", "steps"), [("100", 100), ("1e5", 100_000), ("1_000", 1000), ("8.0", 8), ("null", None)]
)
def test_a_whole_number_may_be_written_as_people_write_it(read, text, steps):
    assert read(f"training:\n  steps: {text}\n").training.steps == steps


def test_a_word_that_yaml_takes_for_a_switch_is_still_a_choice(read):
    """YAML 1.1 reads a bare `no` as false."""
    assert read("on_bad_row: no\n").on_bad_row == "no"


@pytest.mark.parametrize(("text", "on"), [("true", True), ("Yes", True), ("on", True), ("off", False), ("NO", False)])
def test_switches_know_the_words_of_yaml(read, text, on):
    assert read(f"resume: {text}\n").resume is on


def test_text_that_looks_like_a_number_stays_text(read):
    assert read("out: 007\ntrain: [1.10, 2024-01-01]\n").out == "007"
    assert read("train: [1.10, 2024-01-01]\n").train == ("1.10", "2024-01-01")


def test_one_word_is_a_list_of_one(read):
    assert read("train: pairs.tsv\n").train == ("pairs.tsv",)


def test_all_faults_of_file_and_flags_come_in_one_message(faults):
    found = faults(
        "outt: a\nmodel:\n  width: wide\n  attention:\n    kind: fusd\n    dropout: 2\ntrain: {}\n",
        "--training.steps", "0", "--heds", "3", "--resume", "--overwrite",
    )  # fmt: skip
    assert found == [
        "--heds: needs a setting that is known. Try --model.heads.",
        "c.yaml:1: outt: needs a setting that is known. Try out.",
        "c.yaml:7: train={}: needs a list, each a text. Try train=[].",
        "c.yaml:3: model.width=wide: needs a whole number of at least 2. Try model.width=256.",
        "c.yaml:5: model.attention.kind=fusd: needs fused or plain. Try model.attention.kind=fused.",
        "c.yaml:6: model.attention.dropout=2: needs a number from 0 to 0.95. Try model.attention.dropout=0.95.",
        "--training.steps 0: needs a whole number of at least 1, or none. Try --training.steps 1.",
    ]


def test_contradictions_come_once_every_value_is_right(faults):
    assert faults(None, "--resume", "--overwrite") == ["--resume with --overwrite: needs one of them. Try --resume."]
    assert len(faults(None, "--heads", "7", "--width", "x")) == 1


def test_a_contradiction_is_told_with_the_line_that_holds_its_setting(faults):
    found = faults("out: a\nmodel:\n  heads: 7\n")
    assert found == ["c.yaml:3: --model.heads 7 with --model.width 256: needs a width that the heads divide. "
                     "Try --model.heads 8."]  # fmt: skip


def test_a_setting_of_another_kind_is_told_apart_from_an_unknown_one(faults):
    assert faults("model:\n  kind: lstm\n  heads: 8\n") == [
        "c.yaml:3: model.heads: needs model.kind transformer, while it is lstm. "
        "Try to leave it out, or --model.kind transformer."
    ]
    assert "model.kind lstm, while it is transformer" in faults(None, "--forget-bias", "1")[0]


def test_an_unknown_kind_names_the_nearest(faults):
    assert faults("model:\n  kind: lstn\n") == [
        "c.yaml:2: model.kind=lstn: needs transformer or lstm. Try model.kind=lstm."
    ]


def test_a_key_in_the_wrong_section_is_told_where_it_belongs(faults):
    assert faults("forget_bias: 1\n") == [
        "c.yaml:1: forget_bias: needs a setting that is known. Try model.forget_bias."
    ]
    assert "Try width below model." in faults("model.width: 1\n")[0]
    assert "lists them all" in faults("zzzzzz: 1\n")[0]


def test_a_text_where_a_section_belongs_is_told_how_to_nest(faults):
    assert faults("model: lstm\n") == ["c.yaml:1: model=lstm: needs settings below it. Try model: {kind: lstm}."]
    assert faults("training: 3\n") == ["c.yaml:1: training=3: needs settings below it. Try training: {steps: ...}."]


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("resume: 3", "true or false"),
        ('resume: "true"', "true or false"),
        ("out: null", "a text"),
        ("out:", "a text"),
        ("out: [a]", "a text"),
        ("training: {steps: 1.5}", "a whole number of at least 1, or none"),
        ('training: {steps: "8"}', "a whole number of at least 1, or none"),
        ("training: {steps: 99999999999999999999.5}", "a whole number of at least 1, or none"),
        ("training: {dropout: .nan}", "a number from 0 to 0.95"),
        ("training: {dropout: .inf}", "a number from 0 to 0.95"),
        ("training: {betas: [0.9]}", "a list of 2: a number and a number"),
        ("training: {betas: [0.9, 0.98, 1]}", "a list of 2: a number and a number"),
        ("training: {time_limit: 1:30}", "a time such as 90s, 10m or 1.5h, or none"),
        ("training: {time_limit: -5}", "a time such as 90s, 10m or 1.5h, or none"),
        ("on_bad_row: false", "one of stop, skip or no"),
        ("on_bad_row: [stop]", "one of stop, skip or no"),
        ("train: [[a]]", "a list, each a text"),
    ],
)  # fmt: skip
def test_wrong_values_are_told_what_is_allowed(faults, line, allowed):
    (fault,) = faults(f"{line}\n")
    assert fault.startswith("c.yaml:1: ")
    assert f": needs {allowed}. Try " in fault


def test_python_settings_are_checked_in_type_range_choice_and_contradictions(kind):
    from dataclasses import replace

    good = kind()
    check(good)
    wrong = replace(good, train=["a"], resume=1, on_bad_row="skp", model=replace(good.model, width=True, heads=99))
    with pytest.raises(ConfigError) as caught:
        check(wrong)
    assert [str(fault) for fault in caught.value.faults] == [
        "train=['a']: needs a tuple (a list, each a text). Try train=[TEXT].",
        "resume=1: needs true or false. Try resume=true.",
        "on_bad_row='skp': needs one of stop, skip or no. Try on_bad_row=skip.",
        "model.width=True: needs a whole number of at least 2. Try model.width=2.",
        "model.heads=99: needs a whole number from 1 to 64. Try model.heads=64.",
    ]
    with pytest.raises(ConfigError, match="heads divide"):
        check(replace(good, model=replace(good.model, heads=7)))
    with pytest.raises(ConfigError, match="model=None: needs Transformer or LSTM"):
        check(replace(good, model=None))
    with pytest.raises(ConfigError, match="dropout=nan"):
        check(replace(good, training=replace(good.training, dropout=float("nan"))))


def test_a_mapping_from_json_is_read_with_the_same_care(kind):
    settings = from_mapping(kind, {"model": {"kind": "lstm", "width": 8}, "train": ["a"], "training": {"steps": None}})
    assert (settings.model.kind, settings.model.width, settings.train) == ("lstm", 8, ("a",))
    assert from_mapping(kind, {"training": {"time_limit": "10m"}}).training.time_limit == 600
    with pytest.raises(ConfigError, match="2 faults"):
        from_mapping(kind, {"out": 3.5, "resume": "true", "widht": 1})
    with pytest.raises(ConfigError, match="model=3: needs settings below it"):
        from_mapping(kind, {"model": 3})


def test_attempt_tells_settings_and_faults_without_raising(kind):
    settings, faults = attempt(kind, None, ["--resume", "--overwrite"])
    assert settings.resume
    assert len(faults) == 1
    assert attempt(kind, None, ["--width", "x"])[0] is None


def test_the_file_is_the_first_word_or_the_value_of_config():
    from pathlib import Path

    assert take_file(["a.yaml", "--out", "b.yaml"]) == (Path("a.yaml"), ["--out", "b.yaml"])
    assert take_file(["--out", "b", "--config", "a.txt"]) == (Path("a.txt"), ["--out", "b"])
    assert take_file(["--config=a.yml", "x"]) == (Path("a.yml"), ["x"])
    assert take_file(["--out", "b"]) == (None, ["--out", "b"])
    for words in (["--config"], ["--config", "--out"]):
        with pytest.raises(ConfigError, match="--config without a value"):
            take_file(words)
    with pytest.raises(ConfigError, match=r"the files a\.yaml and b: needs one file"):
        take_file(["a.yaml", "--config", "b"])


def test_one_word_is_read_by_type_range_and_duration():
    from typing import Annotated

    assert word(Annotated[int, Range(1)], "3", "--beams") == 3
    assert word(Annotated[float, Duration(), Range(1)] | None, "2m", "--limit") == 120
    with pytest.raises(ConfigError, match=r"--beams 0: needs a whole number of at least 1\. Try --beams 1\."):
        word(Annotated[int, Range(1)], "0", "--beams")
    with pytest.raises(TypeError):
        word(list[int], "0", "--beams")


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("1h30m", 5400), ("2d", 172800), (".5s", 0.5),
     ("1:30", None), ("-3", None), ("", None), ("m", None), ("10 m", None), ("1h 30m", None), ("٣s", None)],
)  # fmt: skip
def test_durations_are_read_with_their_units(text, value):
    assert seconds(text) == value
    assert value is None or seconds(span(float(value))) == value


@pytest.mark.parametrize(
    ("limits", "text", "inside", "outside", "nearest"),
    [
        (Range(1), "at least 1", 1, 0, 1),
        (Range(high=3), "at most 3", -9, 4, 3),
        (Range(0.0, 0.95), "from 0 to 0.95", 0.95, 1, 0.95),
    ],
)
def test_a_range_holds_both_its_ends(limits, text, inside, outside, nearest):
    assert str(limits) == text
    assert limits.admits(inside)
    assert not limits.admits(outside)
    assert limits.nearest(outside) == nearest
    assert Range().admits(1e300)


def test_a_setting_without_default_must_be_given():
    from dataclasses import make_dataclass

    needy = make_dataclass("Needy", [("text", str), ("count", int)], frozen=True)
    with pytest.raises(ConfigError) as caught:
        attempt_or_raise(needy, [])
    assert [str(fault) for fault in caught.value.faults] == [
        "--text is not given: needs a text. Try --text TEXT.",
        "--count is not given: needs a whole number. Try --count 1.",
    ]
    assert attempt_or_raise(needy, ["--text", "a", "--count", "3"]).count == 3


def attempt_or_raise(kind, flags):
    from seqwise.config import resolve

    return resolve(kind, None, flags)


def test_a_type_that_no_setting_can_have_is_a_defect_of_the_class():
    from dataclasses import make_dataclass

    for hint in (dict[str, int], list[int], object, tuple, set[str]):
        with pytest.raises(TypeError, match=r"Odd\.field: a setting cannot have the type"):
            attempt(make_dataclass("Odd", [("field", hint, None)], frozen=True))


def test_unions_of_dataclasses_need_kinds_of_their_own(kind):
    from dataclasses import make_dataclass

    plain = [make_dataclass(name, [("x", int, 1)], frozen=True) for name in "AB"]
    with pytest.raises(TypeError, match="each dataclass of a union needs"):
        attempt(make_dataclass("Odd", [("field", plain[0] | plain[1], None)], frozen=True))
    with pytest.raises(TypeError, match="no other member but None"):
        attempt(make_dataclass("Odd", [("field", plain[0] | int, None)], frozen=True))


def test_a_default_section_of_a_parent_keeps_what_is_not_given():
    """A parent may give a section other defaults than the section's class has."""
    from dataclasses import field, make_dataclass

    below = make_dataclass("Below", [("a", int, 1), ("b", int, 2)], frozen=True)
    above = make_dataclass("Above", [("below", below, field(default=below(a=10, b=20)))], frozen=True)
    assert attempt_or_raise(above, ["--a", "3"]).below == below(a=3, b=20)
