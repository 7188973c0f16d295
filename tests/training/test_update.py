import copy

import pytest
import torch
from torch import nn

from seqwise.models.architecture import TransformerSettings
from seqwise.models.assemble import build_pretrained
from seqwise.models.embeddings import Embeddings, by_rows
from seqwise.models.heads import LabelsSettings, TokensSettings
from seqwise.training import update
from seqwise.training.optim import OptimizerSettings, Weights, adamw

ROWS, WIDTH = 40, 16


class Looked(nn.Module):
    """A table and a product."""

    def __init__(self):
        super().__init__()
        self.embed = Embeddings(ROWS, WIDTH)
        self.out = nn.Linear(WIDTH, 3)

    def forward(self, ids):
        """Scores."""
        return self.out(self.embed(ids))


def prepared(decay=0.0, kept=None):
    torch.manual_seed(1)
    model = Looked()
    if kept is not None:
        model.embed.load(kept, torch.randn(len(kept), WIDTH), frozen=True)
    weights = Weights(model, torch.bfloat16)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), OptimizerSettings(rate=1e-2))
    for group in optimizer.param_groups:
        group["weight_decay"] = decay
    return model, weights, optimizer


def batches(steps, rows=12):
    chance = torch.Generator().manual_seed(2)
    return [torch.randint(0, rows, (2, 5), generator=chance) + 3 for _ in range(steps)]


def trained(model, weights, optimizer, steps, longest=0.5):
    for ids in steps:
        for part in ids.split(1):
            model(part).square().sum().backward()
            if part is not ids[-1:]:
                weights.gather_gradients()
        weights.move(optimizer, longest, float(weights.norm()))


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("most", [0.0, 0.25, 1.0])
def test_a_table_moves_as_by_torchs_own_optimizer(decay, most, monkeypatch):
    """Oracle: AdamW not fused, of gradients that fill the table, summed in fp32. Rows apart, all rows, and from one to
    the other as more rows come to have moments."""
    monkeypatch.setattr(update, "MOST", most)
    monkeypatch.setattr(update, "PIECE", 2 * 5 * WIDTH)
    model, weights, optimizer = prepared(decay)
    oracle = [w.detach().clone().requires_grad_() for w in weights.master]
    theirs = torch.optim.AdamW(oracle, lr=1e-2, betas=(0.9, 0.98), eps=1e-9, weight_decay=decay, foreach=False)
    for ids in batches(6):
        twin = copy.deepcopy(model)
        by_rows(twin, sparse=False)
        twin.float()(ids).square().sum().backward()
        for w, part in zip(oracle, twin.parameters(), strict=True):
            w.grad = part.grad.clone()
        model(ids).square().sum().backward()
        assert model.embed.weight.grad.is_sparse
        norm = float(weights.norm())
        assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(oracle, 1e9)), rel=2e-2)
        for w, master in zip(oracle, weights.master, strict=True):  # the same numbers for both
            slope = master.grad if master.grad is not None else weights.working[1 + (w.ndim < 2)].grad
            w.grad = slope.to_dense().float() if slope.is_sparse else slope.float()
        torch.nn.utils.clip_grad_norm_(oracle, 0.5)
        weights.move(optimizer, 0.5, norm)
        theirs.step()
        for master, working, w in zip(weights.master, weights.working, oracle, strict=True):
            torch.testing.assert_close(master, w, atol=1e-6, rtol=1e-5)
            assert torch.equal(working, master.bfloat16())


def test_rows_without_a_gradient_are_left_alone_and_it_makes_no_difference_to_the_bit(monkeypatch):
    results = []
    for most in (0.0, 1.0):
        monkeypatch.setattr(update, "MOST", most)
        model, weights, optimizer = prepared()
        before = weights.master[0].detach().clone()
        trained(model, weights, optimizer, batches(5))
        unmoved = (weights.master[0] == before).all(1)
        assert unmoved[[0, 1, 2, *range(15, ROWS)]].all()
        assert not unmoved[3:15].any()
        assert torch.equal(optimizer.state[weights.master[0]][update.MOVED], ~unmoved)
        results.append([w.detach() for w in weights.master])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_a_table_taken_up_again_goes_on_to_the_same_bits():
    """Which rows have moments is seen from the moments."""
    model, weights, optimizer = prepared()
    trained(model, weights, optimizer, batches(4))
    again, copied, other = prepared()
    with torch.no_grad():
        for new, old in zip(copied.master, weights.master, strict=True):
            new.copy_(old)
            state = {name: value.clone() for name, value in optimizer.state[old].items() if name != update.MOVED}
            other.state[new] = state
    copied.spread()
    further = batches(7, rows=20)[4:]
    trained(model, weights, optimizer, further)
    trained(again, copied, other, further)
    for one, two in zip(weights.master, copied.master, strict=True):
        assert torch.equal(one, two)
    assert len(other.state[copied.master[0]][update.MOVED]) == ROWS


def test_gradients_that_name_rows_are_asked_of_tables_only_that_are_used_once():
    """And in bf16 only; a table with rows that are kept has a hook, which wants a whole gradient."""
    for head, alone in ((LabelsSettings(labels=2), True), (TokensSettings(), False)):
        shape = "encoder" if alone else "decoder"
        settings = TransformerSettings(shape=shape, width=16, layers=1, heads=2)
        for dtype in (torch.float32, torch.bfloat16):
            model = build_pretrained(settings, head, 20)
            Weights(model, dtype)
            (table,) = (part for part in model.modules() if isinstance(part, Embeddings))
            assert table.sparse == (alone and dtype == torch.bfloat16)
    model, weights, optimizer = prepared(kept=torch.arange(4, 6))
    before = model.embed.weight[4:6].clone()
    trained(model, weights, optimizer, batches(2))
    assert torch.equal(model.embed.weight[4:6], before)
