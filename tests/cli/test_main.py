import resource
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

import pytest

import seqwise as package
from seqwise.cli import main
from seqwise.cli.commands import load
from seqwise.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]


def python(*words, timeout=60, **more):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=timeout, **more)


def test_help_lists_every_command_without_importing_any(seqwise, verbs):
    code, out, err = seqwise("--help")
    assert (code, err) == (0, "")
    for verb in verbs:
        assert verb.summary in out
    assert "small_verbs" not in sys.modules
    assert "seqwise demo" in out
    assert "Exit codes" in out
    assert seqwise() == seqwise("-h") == (code, out, err)


def test_a_command_imports_only_itself(seqwise):
    assert seqwise("copy", "on")[0] == 0  # "absent" could not be imported


def test_the_version_is_that_of_the_package(seqwise):
    assert seqwise("--version") == (0, metadata.version("seqwise") + "\n", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lern"], "the command lern: needs one of learn, say, copy, fail, absent. Try seqwise learn."),
        (["zzz"], "the command zzz: needs one of learn, say, copy, fail, absent. Try seqwise --help."),
        (["--config", "x"], "--config before a command: needs one of learn, say, copy, fail, absent. "
         "Try seqwise --help."),
    ],
)  # fmt: skip
def test_an_unknown_command_is_one_line_with_the_nearest(seqwise, words, told):
    code, _, err = seqwise(*words)
    assert code == 2
    assert err.count("\n") == 1
    assert err == f"seqwise: {told}\n"


def test_a_text_is_printed_as_it_stands_and_a_result_by_rich(seqwise):
    assert seqwise("copy", "on", "[bold]x[/]", ":smile:") == (0, "on [bold]x[/] :smile:\n", "")
    code, out, _ = seqwise("say", "runs/a", "[red]hostile[/red] :smile: [link=x]")
    assert code == 0
    assert "[red]hostile[/red] :smile: [link=x]" in out


def test_a_result_says_how_the_command_ends(seqwise):
    assert seqwise("fail", "result") == (1, "broken\n", "")
    assert seqwise("fail") == (0, "", "")


def test_of_several_processes_only_the_first_prints(seqwise, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert seqwise("copy", "on") == (0, "", "")
    assert seqwise("fail", "data")[2] != ""


def test_debug_shows_the_traceback_and_the_line(seqwise):
    code, _, err = seqwise("fail", "defect", "--debug")
    assert code == 1
    assert "Traceback" in err
    assert err.endswith("report it)\n")
    assert "Traceback" not in seqwise("fail", "defect")[2]
    assert "Traceback" in seqwise("--debug", "lern")[2]
    assert seqwise("copy", "on", "--", "--debug")[1] == "on --debug\n"


def test_the_table_of_verbs_says_what_their_docstrings_say():
    alone = [verb for verb in VERBS if verb.alone]
    parts = [part for verb in VERBS for part in verb.parts]
    for verb in (*alone, *parts):
        function = load(verb)
        assert function.__name__ == verb.name
        assert function.__module__ == verb.module
        assert (function.__doc__ or "").strip().splitlines()[0] == verb.summary


def test_the_verbs_are_functions_of_the_package():
    assert package.doctor.__wrapped__ is import_module("seqwise.verbs.doctor").doctor
    assert {"train", "doctor", "__version__"} <= set(dir(package))
    assert set(package.__all__) <= set(dir(package))
    assert package.__version__ == metadata.version("seqwise")
    rooms = {path.stem for path in (ROOT / "src" / "seqwise").iterdir()}
    assert {verb.name for verb in VERBS} - rooms <= set(package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = package.trian


def test_help_of_train_lists_its_settings_and_ends_with_the_example(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert "--model.width NUMBER" in out
    assert "─ model, lstm ─" in out
    assert out.rstrip().splitlines()[-1].startswith("    seqwise train ")


HEAVY = "{'torch', 'polars', 'tokenizers', 'numpy', 'sacrebleu'}"


def test_importing_seqwise_loads_nothing_heavy():
    done = python("-c", f"import sys, seqwise; assert not {HEAVY} & set(sys.modules), sys.modules")
    assert done.returncode == 0, done.stderr


def test_help_loads_nothing_heavy_and_is_quick():
    watch = f"import sys; from seqwise.cli import main; code = main(['--help']); assert not {HEAVY} & set(sys.modules)"
    done = python("-c", watch)
    assert (done.returncode, done.stderr) == (0, "")
    assert min(_work("--help") for _ in range(3)) < 0.5


def _work(*words):
    """Seconds of processor time that a command takes, whatever else the machine does."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python("-m", "seqwise", *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def test_the_module_and_the_script_are_the_same_door():
    done = python("-m", "seqwise", "--version")
    assert (done.returncode, done.stdout) == (0, metadata.version("seqwise") + "\n")
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["seqwise"]
    module, name = script.split(":")
    assert getattr(import_module(module), name) is import_module("seqwise.cli").main


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which this system lacks")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "seqwise", "--help"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == (
        "seqwise: No space left on device: needs room on the disk. Try to free some space, or a path on another disk.\n"
    )


def test_a_reader_that_went_away_is_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-m", "seqwise", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), told) == (141, "")


def test_a_verb_with_parts_is_called_with_two_words():
    from seqwise.verbs import Verb

    parts = (Verb("learn", "Learn.", "small_verbs:learn"),)
    told = []
    for words in (["school"], ["school", "--help"], ["school", "lern"], ["school", "--fast"]):
        done = python(
            "-c",
            "import sys; from seqwise.cli import main; from seqwise.verbs import Verb;"
            "parts = (Verb('describe', 'Tell what each column holds.', 'seqwise.verbs.stats.describe:describe'),);"
            "sys.exit(main(sys.argv[1:], [Verb('school', 'Ask.', parts=parts, alone=False)]))",
            *words,
        )
        told.append((done.returncode, done.stdout + done.stderr))
    assert parts[0].module == "small_verbs"
    assert told[0] == told[1]
    assert told[0][0] == 0
    assert "describe" in told[0][1]
    assert told[2] == (2, "seqwise: the command lern: needs one of describe. Try seqwise school --help.\n")
    assert told[3][0] == 2
