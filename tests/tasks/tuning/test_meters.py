"""Counters of energy, on folders and a library that are made up: no machine here tells of its own."""

import time

import pytest
import torch

from seqwise.tasks.tuning.meters import Counter, Meters, nvidia, packages


def package(folder, name, used, size=262_143_328_850):
    place = folder / name
    place.mkdir(parents=True)
    (place / "energy_uj").write_text(f"{used}\n")
    (place / "max_energy_range_uj").write_text(f"{size}\n")
    return place / "energy_uj"


def test_packages_are_counted_once_and_their_parts_not_again(tmp_path):
    counters = [package(tmp_path, name, 5_000_000) for name in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0")]
    package(tmp_path, "intel-rapl-mmio:0", 1)
    (tmp_path / "intel-rapl:2").mkdir()  # one that may not be read
    found = packages(tmp_path)
    assert [counter.name for counter in found] == ["intel-rapl:0", "intel-rapl:1"]
    for path in counters:
        path.write_text("7500000\n")
    assert [counter.joules() for counter in found] == pytest.approx([2.5, 2.5])


def test_a_counter_that_comes_round_goes_on():
    values = iter([90.0, 99.0, 4.0, 6.0])
    counter = Counter("package", lambda: next(values), 100.0)
    assert [counter.joules() for _ in range(3)] == pytest.approx([9.0, 14.0, 16.0])


def test_a_counter_without_a_range_that_was_set_back_loses_what_it_had():
    values = iter([90.0, 95.0, 1.0, 3.0])
    counter = Counter("card", lambda: next(values))
    assert [counter.joules() for _ in range(3)] == pytest.approx([5.0, 5.0, 7.0])


class Library:
    """NVML's answers."""

    def __init__(self, code=0):
        self.code, self.used, self.asked = code, 1_000, None

    def nvmlInit_v2(self):  # noqa: N802 (NVML's name)
        """Ready."""
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid, handle):  # noqa: N802 (NVML's name)
        """A handle."""
        self.asked, handle._obj.value = uuid, 42
        return 0

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, used):  # noqa: N802 (NVML's name)
        """Millijoules."""
        assert handle.value == 42
        used._obj.value = self.used
        return self.code


def test_a_card_tells_millijoules_by_its_unique_name():
    library = Library()
    card = Counter("card", nvidia(library, "GPU-1"))
    library.used = 4_500
    assert library.asked == b"GPU-1"
    assert card.joules() == pytest.approx(3.5)
    with pytest.raises(RuntimeError, match="NVML"):
        nvidia(Library(code=3), "GPU-1")()


def test_the_meters_read_the_clocks():
    running = Meters(torch.device("cpu"))
    first, until = running.read(), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    spent = running.read() - first
    assert 0.05 <= spent.processor <= spent.seconds + 0.05
    assert (spent.energy is None) == (not running.counters)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA card here")
def test_a_real_card_uses_some_energy():
    running = Meters(torch.device("cuda"))
    time.sleep(0.5)
    assert running.read().energy > 0
