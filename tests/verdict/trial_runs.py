"""What the tests let trials do. Other processes import these functions by name, so they live in a file of their own."""

import os
import signal
import subprocess
import sys
import time

from seqwise.verdict.pool import THREADS


def counting(trial, folder):
    """Each call leaves a line."""
    with open(folder / "calls", "a") as file:
        file.write(f"{os.getpid()}\n")
    return {"score": trial.seed + trial.fraction, "pid": os.getpid()}


def slow(trial, folder):
    """So slow that it can be killed in between: the first seeds are quick."""
    counting(trial, folder)
    time.sleep(0.05 if trial.seed <= 2 else 60)
    return {"score": trial.seed}


def killed_once(trial, folder):
    """Seed 2 dies as by the system, on its first try only."""
    counting(trial, folder)
    if trial.seed == 2 and len((folder / "calls").read_text().split()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)
    return {"score": trial.seed}


def killed_always(trial, folder):
    counting(trial, folder)
    if trial.seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"score": trial.seed}


def broken(trial, folder):
    """Seed 1 fails, 2 leaves, 3 returns what no file holds; seed 4 is fine."""
    if trial.seed == 1:
        raise ValueError("too\nhigh a rate")
    if trial.seed == 2:
        sys.exit("no data")
    return {"score": {1, 2} if trial.seed == 3 else 4.0}


def broken_until(trial, folder):
    """Fails as long as the file `mended` is missing."""
    if not (folder.parents[1] / "mended").exists():
        raise OSError("not mended")
    return {"score": 1.0}


def surroundings(trial, folder):
    """What a process finds, and something printed on both ways out."""
    print("printed by Python", flush=True)
    subprocess.run(["sh", "-c", "echo by a child >&2"], check=True)
    (threads,) = {os.environ[name] for name in THREADS}
    return {"threads": threads, "torch": "torch" in sys.modules, "group": os.getpgid(0)}


def waiting_for_kill(trial, folder):
    """On a cluster: seed 2 on all data waits for someone to kill its process the first time it runs."""
    counting(trial, folder)
    if (trial.seed, trial.fraction) == (2, 1) and len((folder / "calls").read_text().split()) == 1:
        time.sleep(60)
    return {"score": trial.seed * trial.fraction}
