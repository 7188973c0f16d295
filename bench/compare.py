"""Two commands that print JSON lines, in turn: A B A B ... The ratio of a figure pair by pair, and its median.

    python bench/compare.py --field tgt_tok_s --rounds 5 'python bench/training.py bf16' 'python peer.py bf16'
    python bench/compare.py --field sent_s --where batch=64 --where beam=5 'python bench/decoding.py' 'python peer.py'

Machines that others share drift: only such a ratio means anything.
"""

import argparse
import json
import shlex
import statistics
import subprocess

from _work import tell


def parsed(text: str) -> object:
    """A line as JSON; None for what a program prints besides."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def figure(command: str, field: str, where: dict[str, str]) -> float:
    """Run a command and read a figure from the last of its JSON lines that fits."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True)
    lines = [line for text in done.stdout.splitlines() if isinstance(line := parsed(text), dict)]
    fitting = [line for line in lines if field in line and all(str(line.get(k)) == v for k, v in where.items())]
    if not fitting:
        raise SystemExit(f"{command}: no {field} in what it printed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return float(fitting[-1][field])


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours")
    parser.add_argument("peer")
    parser.add_argument("--field", default="tgt_tok_s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--where", action="append", default=[], help="NAME=VALUE that the line must have")
    given = parser.parse_args()
    where = dict(pair.split("=", 1) for pair in given.where)
    pairs = []
    for _ in range(given.rounds):
        pairs.append((figure(given.ours, given.field, where), figure(given.peer, given.field, where)))
        tell(bench="compare", ours=pairs[-1][0], peer=pairs[-1][1], ratio=pairs[-1][0] / pairs[-1][1])
    ours, peers = zip(*pairs, strict=True)
    ratios = [a / b for a, b in pairs]
    tell(
        bench="compare",
        field=given.field,
        where=where,
        ours=statistics.median(ours),
        peer=statistics.median(peers),
        ratio=statistics.median(ratios),
        spread=[round(min(ratios), 3), round(max(ratios), 3)],
    )


if __name__ == "__main__":
    main()
