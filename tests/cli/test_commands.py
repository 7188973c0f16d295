import pytest

from seqwise.verbs import Verb


def test_a_verb_of_settings_is_filled_from_file_and_flags(seqwise, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("train: [x]\nlimit: 5m\nmodel:\n  layers: 7\n")
    for words in ([str(file)], ["--config", str(file)], [f"--config={file}"]):
        code, out, err = seqwise("learn", *words, "--width", "64", "--resume")
        assert (code, err) == (0, "")
        assert out == (
            "Settings(train=('x',), resume=True, limit=300.0, model=Model(kind='deep', width=64, layers=7))\n"
        )
    assert "Flat(kind='flat', width=8)" in seqwise("learn", "--model", "flat")[1]


def test_all_faults_of_settings_come_in_one_message(seqwise, tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("limit: soon\n")
    code, _, err = seqwise("learn", str(file), "--widht", "3", "--model.layers", "x")
    assert code == 2
    assert err.splitlines()[0] == "seqwise: 3 faults:"
    assert f"  {file}:1: limit=soon: needs a time such as 90s, 10m or 1.5h, or none. Try limit=10m." in err


def test_help_of_settings_lists_each_with_meaning_limits_and_default(seqwise):
    code, out, _ = seqwise("learn", "--help")
    assert code == 0
    flat = " ".join(out.replace("│", " ").split())
    for told in (
        "Usage: seqwise learn [FILE.yaml] [FLAGS]",
        "Learn from files. A longer word about it.",
        "--config PATH Settings in YAML",
        "--train TEXT... Files. [default: none]",
        "--resume --no-resume Go on. [default: false]",
        "--limit TIME How long. [default: none]",
        "--model.kind CHOICE Which model. [choices: deep, flat] [default: deep]",
        "--model.width NUMBER Size of a vector (Foo et al. 2017). It costs [time]. [at least 2]"
        " [default: 256 (deep), 8 (flat)]",
        "--model.layers NUMBER How deep. [default: 3]",
    ):
        assert told in flat
    assert "─ run ─" in out
    assert "─ model ─" in out
    assert "─ model, deep ─" in out
    assert "Args" not in out
    assert out.endswith("Example:\n\n    seqwise learn --train a.en a.fr\n")


def test_help_of_other_verbs_is_their_docstring_with_the_example_last(seqwise):
    code, out, _ = seqwise("say", "-h")
    assert code == 0
    assert "Usage: seqwise say" in out
    assert "Where it lies." in out
    assert "How wide." in out
    assert "```" not in out
    assert out.endswith('Example:\n\n    seqwise say runs/a "hello"\n')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["r", "hello"], "r hello [] None 60.0 loud 256"),
        (["r", "none"], "r none [] None 60.0 loud 256"),
        (["r"], "r None [] None 60.0 loud 256"),
        (["r", "--", "-hello"], "r -hello [] None 60.0 loud 256"),
        (["r", "t", "--beams", "4", "--limit", "2m", "--mode=quiet"], "r t [] 4 120.0 quiet 256"),
        (["r", "t", "--beams", "none", "--files", "a", "b"], "r t ['a', 'b'] None 60.0 loud 256"),
        (["r", "t", "--model.width", "3"], "r t [] None 60.0 loud 3"),
    ],
)
def test_words_and_flags_become_parameters(seqwise, words, said):
    code, out, err = seqwise("say", *words)
    assert (code, err) == (0, "")
    assert said in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "RUN is not given: needs a value. Try seqwise say --help."),
        (["r", "--beans", "3"], "--beans: needs a flag of seqwise say. Try --beams."),
        (["r", "-x"], "-x: needs a flag of seqwise say. Try seqwise say --help."),
        (["r", "- a b"], '- a b: needs a flag of seqwise say. Try -- "- a b", since it begins with a hyphen.'),
        (["r", "--beams", "0"], "--beams 0: needs a whole number from 1 to 64, or none. Try --beams 1."),
        (["r", "--beams=x"], "--beams x: needs a whole number from 1 to 64, or none. Try --beams 1."),
        (["r", "--limit", "soon"], "--limit soon: needs a time such as 90s, 10m or 1.5h. Try --limit 10m."),
        (["r", "--beams"], "--beams without a value: needs a value. Try seqwise say --help."),
        (["r", "--mode", "quite"], "--mode quite: needs loud or quiet. Try --mode quiet."),
        (["r", "--beams", "1", "--beams", "2"], "--beams a second time: needs each flag once. "
         "Try the one that is meant, alone."),
        (["r", "a", "b", "c"], "the word b: needs no more words than seqwise say takes. "
         "Try quotes around a text with spaces, or seqwise say --help."),
        (["r", "--model.width", "1"], "width=1: needs a whole number of at least 2. Try width=2."),
        (["r", "--model.width", "x"], "--model.width x: needs a whole number. Try --model.width 1."),
    ],
)  # fmt: skip
def test_what_cyclopts_refuses_is_told_in_our_form(seqwise, words, told):
    code, _, err = seqwise("say", *words)
    assert (code, err) == (2, f"seqwise: {told}\n")


def test_words_of_flags_are_left_alone(seqwise):
    assert seqwise("copy", "off", "--model.width", "3", "-x", "y")[1] == "off --model.width 3 -x y\n"
    assert seqwise("copy", "of")[2] == "seqwise: WHAT of: needs on or off. Try WHAT off.\n"


def test_completion_knows_commands_and_settings(seqwise, verbs, tmp_path, monkeypatch, capsys):
    """The script for bash is written and names a setting of a verb, below a home of its own."""
    from seqwise.cli import main

    monkeypatch.setenv("HOME", str(tmp_path))
    there = [verb for verb in verbs if verb.name != "absent"]
    assert main(["--install-completion", "--shell", "bash"], there) == 0
    script = next((tmp_path / ".local").rglob("seqwise")).read_text()
    assert "--model.layers" in script
    assert "learn" in script


def test_a_verb_stands_where_its_name_says_unless_told(verbs):
    assert (Verb("train", "").module, Verb("train", "").function) == ("seqwise.verbs.train", "train")
    assert (verbs[0].module, verbs[0].function) == ("small_verbs", "learn")
