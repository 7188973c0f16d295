import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from seqwise import device
from seqwise.errors import ConfigError


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine made of files: /proc and the control groups are folders of the test."""

    def machine(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(device, "_PROC", tmp_path / "proc")
        monkeypatch.setattr(device, "_CGROUP", tmp_path / "cgroup")
        device._flags.cache_clear()

    yield machine
    device._flags.cache_clear()


def test_the_processor_is_picked_where_nothing_else_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert device.pick() == device.pick("cpu") == torch.device("cpu")
    with pytest.raises(ConfigError, match="the device cuda: needs an accelerator that torch finds here"):
        device.pick("cuda")
    with pytest.raises(ConfigError, match="the device mps"):
        device.pick("mps")


def test_an_unknown_device_names_the_nearest():
    with pytest.raises(ConfigError, match=r"the device cdua: needs auto, cpu, cuda, cuda:N or mps\. Try cuda\."):
        device.pick("cdua")


def test_under_torchrun_each_process_has_its_own_accelerator(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert device.pick() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device.pick() == device.pick("cuda") == torch.device("cuda", 1)
    assert device.pick("cuda:0") == torch.device("cuda", 0)
    with pytest.raises(ConfigError, match=r"cuda:7: needs a number up to 1\. Try cuda:1\."):
        device.pick("cuda:7")


@pytest.mark.parametrize(
    ("flags", "kind"),
    [("fpu avx512_bf16", torch.bfloat16), ("amx_tile amx_bf16", torch.bfloat16), ("fpu avx2", torch.float32)],
)
def test_precision_follows_from_the_flags_of_the_processor(machine, flags, kind):
    machine({"proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}\n"})
    cpu = torch.device("cpu")
    assert device.precision("auto", cpu) is kind
    assert device.precision("fp32", cpu) is torch.float32
    assert device.precision("bf16", cpu) is torch.bfloat16


def test_precision_is_fp32_where_the_system_tells_no_flags(machine):
    machine({})
    assert device.precision("auto", torch.device("cpu")) is torch.float32
    assert device.precision("auto", torch.device("mps")) is torch.float32


def test_precision_on_cuda_asks_the_hardware(monkeypatch):
    for able in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation, able=able: able)
        wanted = torch.bfloat16 if able else torch.float32
        assert device.precision("auto", torch.device("cuda", 0)) is wanted


def test_a_seed_starts_every_generator():
    def draws():
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    device.seed(2**40 + 3)
    first = draws()
    device.seed(2**40 + 3)
    assert draws() == first
    device.seed(4)
    assert draws() != first


FAULTS = """
import resource, sys, torch
from seqwise import device
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert device.keep_memory()
def use():
    for _ in range(20):
        torch.empty(48 << 20, dtype=torch.uint8).fill_(1)  # more than glibc keeps by itself, which is 32 MB
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="page faults are counted as Linux counts them")
def test_kept_memory_is_not_faulted_in_again():
    """The oracle is the kernel's count of page faults, in processes with and without."""
    counts = {}
    for mode in ("keep", "leave"):
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, timeout=120)
        if mode == "keep" and "AssertionError" in done.stderr:
            pytest.skip("this C library is not glibc, whose mallopt it is")
        counts[mode] = int(done.stdout)
    assert counts["leave"] > 20  # once for each buffer at least, more with small pages
    assert counts["keep"] < counts["leave"] / 10


HEAP = """
import re, sys, torch
from seqwise import device
if not device.keep_memory(large_pages=True):
    sys.exit("no glibc")
torch.ones(64 << 20, dtype=torch.uint8)
parts = re.split(r"(?m)^(?=[0-9a-f]+-)", open("/proc/self/smaps").read())
flags = [part.split("VmFlags:")[1].split() for part in parts if "[heap]" in part and "VmFlags:" in part]
print(any("hg" in words for words in flags))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are told as Linux tells them")
def test_large_pages_are_asked_for_behind_the_heap():
    """The oracle is what the kernel noted about the heap: hg, that huge pages are wanted."""
    switch = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not switch.exists() or "[never]" in switch.read_text():
        pytest.skip("this kernel has no transparent huge pages")
    done = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, timeout=120)
    if "no glibc" in done.stderr:
        pytest.skip("this C library is not glibc")
    assert done.stdout.strip() == "True", done.stderr


def test_memory_is_kept_nowhere_else(monkeypatch):
    monkeypatch.setattr(device.platform, "system", lambda: "Darwin")
    assert device.keep_memory() is False


def test_facts_are_those_of_this_machine(tmp_path):
    """Oracles: os, torch and statvfs."""
    found = device.facts(tmp_path / "not" / "yet" / "there")
    assert found.torch == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert 1 <= found.cores <= (os.cpu_count() or 1)
    assert 0 < found.available <= found.memory
    disk = os.statvfs(tmp_path)
    assert found.disk == pytest.approx(disk.f_bavail * disk.f_frsize, rel=0.05)
    assert found.bf16_gain > 0
    assert found.bf16_pays == (found.bf16_gain > 1.1)
    assert len(found.devices) == torch.cuda.device_count()


def test_the_race_takes_less_than_a_second():
    import time

    device._race()
    times = []
    for _ in range(3):
        began = time.perf_counter()
        device._race()
        times.append(time.perf_counter() - began)
    assert min(times) < 1.0  # a tenth on a fast machine


CPUINFO = "".join(
    f"processor\t: {i}\nphysical id\t: {i // 4}\ncore id\t\t: {i // 2 % 2}\nflags\t\t: fpu\n\n" for i in range(8)
)  # two packages of two cores with two threads each


def test_cores_are_physical_ones(machine, monkeypatch):
    machine({"proc/cpuinfo": CPUINFO})
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert device._cores() == 4
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert device._cores() == 3
    machine({"proc/cpuinfo": "processor: 0\n"})
    assert device._cores() == 3


MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n"


def test_memory_is_that_of_the_machine_without_a_limit(machine):
    machine({"proc/meminfo": MEMINFO, "proc/self/cgroup": "0::/user\n", "cgroup/user/memory.max": "max\n"})
    assert device._memory() == (16_384_000_000, 8_192_000_000)
    assert device._processor_limit() is None


def test_limits_of_control_groups_of_version_2_count_from_the_whole_path(machine):
    machine(
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "0::/box/inner\n",
            "cgroup/box/inner/memory.max": "max\n",
            "cgroup/box/memory.max": "4000000000\n",
            "cgroup/box/memory.current": "3000000000\n",
            "cgroup/box/memory.stat": "anon 1\ninactive_file 500000000\n",
            "cgroup/box/inner/cpu.max": "150000 100000\n",
            "cgroup/box/cpu.max": "max 100000\n",
        }
    )
    assert device._memory() == (4_000_000_000, 1_500_000_000)
    assert device._processor_limit() == 1.5


def test_limits_of_control_groups_of_version_1_count_too(machine):
    machine(
        {
            "proc/meminfo": MEMINFO,
            "proc/self/cgroup": "4:memory:/box\n3:cpuset:/\n2:cpu,cpuacct:/box\n",
            "cgroup/memory/box/memory.limit_in_bytes": "2000000000\n",
            "cgroup/memory/box/memory.usage_in_bytes": "1900000000\n",
            "cgroup/memory/box/memory.stat": "total_inactive_file 100000000\n",
            "cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            "cgroup/cpu/box/cpu.cfs_quota_us": "50000\n",
            "cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            "cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "cgroup/cpu/cpu.cfs_period_us": "100000\n",
        }
    )
    assert device._memory() == (2_000_000_000, 200_000_000)
    assert device._processor_limit() == 0.5


def test_a_machine_without_proc_still_has_memory(machine):
    machine({})
    total, available = device._memory()
    assert total == available > 0
    assert device._cpuinfo("flags") is None
    assert Path(device._existing(Path("/no/such/folder"))) == Path("/")
