"""Opening a checkpoint beside transformers: seconds in turn, and the peak of memory of a fresh process each.

python bench/loading.py FOLDER [rounds]        FOLDER as `bench/generation.py` makes it
"""

import statistics
import subprocess
import sys
from pathlib import Path

from _work import tell, timed

CLOCK = "import time, resource, torch; {0}; clock = time.perf_counter(); {1}; spent = time.perf_counter() - clock; "
TOLD = "print(spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
OURS = (
    "from pathlib import Path; from seqwise.checkpoints import hub",
    "model = hub.load(hub.open_checkpoint(Path({folder!r})))",
)
PEER = (
    "from transformers import LlamaForCausalLM as kind, logging; logging.disable_progress_bar()",
    "model = kind.from_pretrained({folder!r})",
)


def run(parts: tuple[str, str], folder: str) -> tuple[float, float]:
    """Seconds and MB of one fresh process."""
    program = CLOCK.format(parts[0], parts[1].format(folder=folder)) + TOLD
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak


def main(folder: str, rounds: int = 5) -> None:
    """Open in turn."""
    file = Path(folder) / "model.safetensors"
    pairs = [(run(OURS, folder), run(PEER, folder)) for _ in range(rounds + 1)][1:]  # the first fills the file cache
    ratios = [theirs[0] / own[0] for own, theirs in pairs]
    tell(
        bench="loading",
        seconds=statistics.median(own[0] for own, _ in pairs),
        peer_seconds=statistics.median(theirs[0] for _, theirs in pairs),
        ratio=statistics.median(ratios),
        spread=[round(min(ratios), 2), round(max(ratios), 2)],
        process_mb=statistics.median(own[1] for own, _ in pairs),
        peer_process_mb=statistics.median(theirs[1] for _, theirs in pairs),
        floor_s=timed(file.read_bytes, 3, 1),
    )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]))
