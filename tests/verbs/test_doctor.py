import importlib
from dataclasses import replace
from importlib import metadata

import pytest
from rich.console import Console

from seqwise import device
from seqwise.verbs import doctor as room
from seqwise.verbs.doctor import Diagnosis, Finding, doctor

FACTS = device.Facts(
    torch="2.13.0",
    devices=(),
    processor="A processor",
    threads=2,
    cores=2,
    limit=None,
    amx=False,
    avx512_bf16=True,
    bf16_gain=1.8,
    memory=16_000_000_000,
    available=8_000_000_000,
    disk=50_000_000_000,
)


@pytest.fixture
def diagnose(monkeypatch):
    """The findings by subject, on a machine with the given facts."""

    def diagnose(**changes):
        monkeypatch.setattr(device, "facts", lambda path: replace(FACTS, **changes))
        return {finding.subject: finding for finding in doctor().findings}

    return diagnose


def printed(diagnosis, width=40):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(diagnosis, crop=False)
    return capture.get()


def test_a_sound_machine_is_ok_in_every_line(diagnose):
    found = diagnose()
    assert {finding.state for subject, finding in found.items() if subject != "terminal"} == {"ok"}
    assert found["torch"].value == metadata.version("torch")
    assert found["seqwise"].value == metadata.version("seqwise")
    assert found["threads"].value == "2 on 2 cores"
    assert found["memory"].value == "8.0 GB free of 16.0 GB"
    assert found["bf16"].value == "AVX512-BF16, products 1.8 times as fast as in fp32"


def test_every_library_that_the_package_asks_for_has_a_line(diagnose):
    """The oracle is the metadata of the installed package."""
    found = diagnose()
    plain = [text for text in metadata.requires("seqwise") or [] if "extra" not in text]
    for requirement in plain:
        assert any(requirement.startswith(subject) for subject in found)
    assert "tensorboard [tensorboard]" in found
    assert "pytest [test]" not in found


def test_too_many_threads_are_told_with_the_number_to_set(diagnose, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    found = diagnose(threads=8)["threads"]
    assert (found.state, found.value) == ("warn", "8 on 2 cores, since OMP_NUM_THREADS is 8")
    assert found.mend == "OMP_NUM_THREADS=2"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert diagnose(threads=2, limit=1.0)["threads"].mend == "OMP_NUM_THREADS=1"


def test_little_memory_and_disk_are_warned_of(diagnose):
    found = diagnose(available=10**9, disk=10**8)
    assert (found["memory"].state, found["disk"].state) == ("warn", "warn")
    assert found["disk"].mend


def test_bf16_that_brings_nothing_is_warned_of_only_where_its_unit_is_there(diagnose):
    assert diagnose(bf16_gain=0.9)["bf16"].state == "warn"
    without = diagnose(bf16_gain=0.4, avx512_bf16=False)["bf16"]
    assert (without.state, without.value) == ("ok", "no unit for it, products 0.4 times as fast as in fp32")


def test_an_accelerator_is_named(diagnose, monkeypatch):
    monkeypatch.setattr(device, "pick", lambda: "cuda:0")
    assert diagnose(devices=("A card",))["device"].value == "cuda:0, A card"


def test_a_missing_library_ends_the_command_with_1_and_an_extra_does_not(diagnose, monkeypatch):
    requirements = ["gone>=1", "old>=2.6,<3", 'bars>=1; extra == "tensorboard"', 'tool>=1; extra == "dev"']
    versions = {"seqwise": "0.1.0", "old": "2.5.9+cpu"}

    def version(name):
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "requires", lambda name: requirements)
    monkeypatch.setattr(metadata, "version", version)
    found = diagnose()
    assert (found["gone"].state, found["gone"].mend) == ("missing", "pip install --upgrade gone")
    assert (found["old"].state, found["old"].value) == ("missing", "2.5.9+cpu, needs 2.6")
    assert found["bars [tensorboard]"].state == "ok"
    assert "pip install 'seqwise[tensorboard]'" in found["bars [tensorboard]"].value
    assert "tool [dev]" not in found
    assert Diagnosis(tuple(found.values())).exit_code == 1
    assert Diagnosis((Finding("a", "b", "warn", "c"),)).exit_code == 0


def test_without_an_installed_package_the_rest_is_still_told(diagnose, monkeypatch):
    def version(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    found = diagnose()
    assert found["seqwise"].state == "warn"
    assert "memory" in found


def test_a_torch_that_cannot_be_loaded_is_told_and_the_rest_too(monkeypatch):
    def broken(name):
        raise ImportError("libtorch.so: cannot open\nand more")

    monkeypatch.setattr(room, "import_module", broken, raising=True)
    diagnosis = doctor()
    (found,) = [finding for finding in diagnosis.findings if finding.subject == "device"]
    assert found.value == "torch cannot be loaded (libtorch.so: cannot open)"
    assert diagnosis.exit_code == 1
    assert any(finding.subject == "terminal" for finding in diagnosis.findings)


def test_an_old_python_is_told(monkeypatch):
    monkeypatch.setattr(room.sys, "version_info", (3, 9, 1))
    assert room._python() == Finding("python", "3.9.1, needs 3.11", "missing", "a Python from 3.11 on")


def test_a_terminal_without_utf8_is_warned_of(monkeypatch):
    class Latin:
        encoding = "ISO-8859-1"

    monkeypatch.setattr(room.sys, "stdout", Latin())
    found = room._terminal()
    assert (found.state, found.mend) == ("warn", "PYTHONIOENCODING=utf-8")


def test_each_finding_is_one_line_however_narrow_the_terminal():
    diagnosis = Diagnosis(
        (
            Finding("python", "3.11"),
            Finding("disk", "0.1 GB [red]free[/red] at /a/very/long/path", "warn", "to free some"),
        )
    )
    assert printed(diagnosis) == (
        "ok      python  3.11\n"
        "warn    disk    0.1 GB [red]free[/red] at /a/very/long/path. Try to free some.\n"
    )  # fmt: skip


def test_the_numbers_of_a_version_compare_as_numbers():
    assert room._numbers("2.13.0+cpu") == (2, 13, 0) > room._numbers("2.6")
    assert room._numbers("dev") == ()


def test_the_command_itself_runs(capsys):
    from seqwise.cli import main

    assert main(["doctor"]) == 0
    assert "torch" in capsys.readouterr().out
    assert importlib.util.find_spec("seqwise.verbs.doctor")
