"""Long memory, shown and not asserted: the adding problem, on which plain recurrent networks fail.

    python examples/long_memory.py                  T = 100 and 400, four networks: some 20 minutes on one core
    python examples/long_memory.py --quick          T = 30, a minute
    python examples/long_memory.py --lengths 400 --networks chrono

A sequence of T pairs: a number between 0 and 1, and a mark that is 1 at two places, one in each half, and 0 elsewhere.
After the last pair the network shall say the sum of the two marked numbers. Who always says 1 is off by 1/6 = 0.167 in
the mean square, and so is who cannot remember; below 0.04 the problem counts as solved (Hochreiter & Schmidhuber 1997,
section 5.4).

    rnn        torch.nn.RNN, tanh: what is remembered is multiplied by a matrix at every step, and vanishes or explodes
    no bias    our LSTM (`seqwise.models.lstm`), all gates half open at the start
    bias 1     the same with a forget gate that starts at 0.73 (Jozefowicz et al. 2015)
    chrono     the same with forget gates that start as if spans up to T were usual (Tallec & Ollivier 2018)

All have the same width, the same data, the same rate; data are drawn anew at every step, so that nothing can be learned
by heart. Training ends early once the problem is well solved.
"""

import argparse
import math
import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from seqwise.models.lstm import LSTMStack, initialise

NETWORKS = ("rnn", "no bias", "bias 1", "chrono")
CHANCE, SOLVED = 1 / 6, 0.04
LOOK = 250  # steps between two looks at fresh data
DONE = 0.002  # mean square error at which training ends


@dataclass(frozen=True)
class Plan:
    """How long, and on how much at a time."""

    steps: int
    batch: int
    width: int
    rate: float
    seed: int


def draw(rows: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences (rows, length, 2) and the sums (rows,)."""
    numbers = torch.rand(rows, length, generator=generator)
    half = length // 2
    first = torch.randint(half, (rows, 1), generator=generator)
    second = half + torch.randint(length - half, (rows, 1), generator=generator)
    places = torch.cat((first, second), 1)  # (rows, 2)
    marks = torch.zeros(rows, length).scatter_(1, places, 1.0)
    return torch.stack((numbers, marks), -1), numbers.gather(1, places).sum(1)


class Network(nn.Module):
    """A recurrent network that says one number after the last step."""

    def __init__(self, kind: str, width: int, length: int) -> None:
        super().__init__()
        self.plain = nn.RNN(2, width, batch_first=True) if kind == "rnn" else None
        self.stack = None if kind == "rnn" else LSTMStack(2, width, layers=1)
        self.head = nn.Linear(width, 1)
        if kind != "rnn":
            initialise(self, forget_bias=float(kind == "bias 1"), chrono=length if kind == "chrono" else 0)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, length, 2) -> (rows,)"""
        if self.stack is not None:
            last = self.stack(x).hidden[-1]
        elif self.plain is not None:
            last = self.plain(x)[1][-1]
        answer: Tensor = self.head(last)[:, 0]
        return answer


@torch.no_grad()
def error(network: Network, length: int, seed: int, rows: int = 1000) -> float:
    """Mean square error on sequences that were never trained on."""
    x, y = draw(rows, length, torch.Generator().manual_seed(seed))
    return float((network(x) - y).square().mean())


def train(kind: str, length: int, plan: Plan) -> tuple[float, int, float]:
    """Test error, steps and minutes of one network."""
    torch.manual_seed(plan.seed)
    generator = torch.Generator().manual_seed(plan.seed)
    network = Network(kind, plan.width, length)
    optimizer = torch.optim.Adam(network.parameters(), plan.rate)
    began = time.perf_counter()
    for step in range(1, plan.steps + 1):
        x, y = draw(plan.batch, length, generator)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        optimizer.zero_grad(set_to_none=True)
        (network(x) - y).square().mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if step % LOOK == 0 and error(network, length, seed=10_000 + step, rows=200) < DONE:
            break
    return error(network, length, seed=99), step, (time.perf_counter() - began) / 60


def main() -> None:
    """Train each network at each length, and print a row for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 400], help="steps of a sequence, T")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--steps", type=int, default=6000, help="updates at most")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="T = 30 and 1500 updates: a minute")
    given = parser.parse_args()
    lengths, steps = ([30], 1500) if given.quick else (given.lengths, given.steps)
    plan = Plan(steps, given.batch, given.width, given.rate, given.seed)
    print(f"mean square error of who always says 1: {CHANCE:.3f}; solved below {SOLVED}")
    print(f"{'T':>4}  {'network':<8} {'test error':>10}  {'steps':>6}  {'minutes':>7}")
    for length in lengths:
        for kind in given.networks:
            found, done, minutes = train(kind, length, plan)
            verdict = "solved" if found < SOLVED else ""
            print(f"{length:>4}  {kind:<8} {found:>10.4f}  {done:>6}  {minutes:>7.1f}  {verdict}".rstrip())


if __name__ == "__main__":
    main()
