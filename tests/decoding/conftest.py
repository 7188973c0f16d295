"""A model small enough to search exhaustively: a random table scores by the sentence and the last two tokens."""

from dataclasses import dataclass, replace

import pytest
import torch

from seqwise.decoding import Specials

V = 7
START, END = 5, 6


@dataclass(frozen=True)
class TableState:
    """What was written, for each row; like a real state, a sentence's part is stored once."""

    tables: torch.Tensor  # (B, V, V, V)
    past: torch.Tensor  # (R, t)
    beams: int

    def reorder(self, rows):
        """Rows continue other rows."""
        return replace(self, past=self.past[rows])

    def keep(self, sentences):
        """Sentences leave."""
        past = self.past.view(-1, self.beams, self.past.shape[1])[sentences].flatten(0, 1)
        return replace(self, tables=self.tables[sentences], past=past)


class TableModel:
    """The contract of a model over a table of logits, one for each source token."""

    def __init__(self, seed, sharpness=2.0):
        generator = torch.Generator().manual_seed(seed)
        self.tables = sharpness * torch.randn(50, V, V, V, generator=generator)

    def encode(self, inputs, lengths):
        """The first source token chooses the table."""
        return self.tables[inputs[:, 0]]

    def start(self, memory, beams, room):
        """Nothing is written."""
        past = torch.full((len(memory) * beams, 1), START)
        return TableState(memory, past, beams)

    def step(self, ids, state):
        """Logits by the last two tokens."""
        past = torch.cat((state.past, ids[:, None]), 1)
        sentence = torch.arange(len(state.tables)).repeat_interleave(state.beams)
        return state.tables[sentence, past[:, -2], past[:, -1]].clone(), replace(state, past=past)


@pytest.fixture
def specials():
    """Ids of the table model."""
    return Specials(start=START, end=END, padding=0, forbidden=(START,))


@pytest.fixture
def table_model():
    """A maker of models by seed."""
    return TableModel
