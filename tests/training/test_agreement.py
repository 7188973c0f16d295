import pytest
import torch

from seqwise.data.batch import Rows
from seqwise.data.examples import Examples
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_pretrained
from seqwise.models.heads import LabelsSettings, TokensSettings
from seqwise.training.agreement import Agreeing, agreeing
from seqwise.training.objectives import LabelObjective, NextTokenObjective, Objective

SIZES = (5, 2, 7, 1)


def settings(shape, dropout):
    feed_forward = FeedForwardSettings(width=24)
    return TransformerSettings(shape=shape, width=16, layers=2, heads=2, dropout=dropout, feed_forward=feed_forward)


def rows(high=40):
    return Rows.of([torch.randint(1, high, (n,)).tolist() for n in SIZES])


def made(kind, dropout=0.1):
    """An objective and the examples that it learns from."""
    torch.manual_seed(0)
    if kind == "labels":
        head = LabelsSettings(labels=3, pool="mean")
        model = build_pretrained(settings("encoder", dropout), head, 40)
        return LabelObjective(model, 0.1), Examples(rows(), Rows.of([[n % 3] for n in range(len(SIZES))]))
    model = build_pretrained(settings("decoder", dropout), TokensSettings(), 40)
    return NextTokenObjective(model, 0.1), Examples(rows(), rows(), Rows.of([[0, *[1] * (n - 1)] for n in SIZES]))


def all_of(examples, packed=False):
    return examples.batch(torch.arange(len(examples)).numpy(), packed).tensors()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["labels", "tokens"])
def test_without_dropout_both_passes_agree_and_cost_what_one_does(kind, packed):
    objective, examples = made(kind)
    objective.eval()
    batch = all_of(examples, packed)
    found = Agreeing(objective, 5.0)(*batch)
    assert found.item() == pytest.approx(objective(*batch).item(), rel=1e-5)
    found.backward()
    assert sum(float(p.grad.abs().sum()) for p in objective.parameters() if p.grad is not None) > 0


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["labels", "tokens"])
def test_a_larger_alpha_costs_more_under_dropout(kind, packed):
    objective, examples = made(kind, dropout=0.4)
    batch = all_of(examples, packed)
    losses = []
    for alpha in (1.0, 2.0, 3.0):
        torch.manual_seed(1)
        losses.append(Agreeing(objective, alpha)(*batch).item())
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-3)
    assert losses[1] > losses[0]


def test_a_translator_reads_each_pair_twice():
    torch.manual_seed(0)
    model = build(settings("encoder-decoder", 0.3), 40, 40, True, (0, 0))
    objective = Objective(model, 1, 0.1)
    inputs, targets = torch.randint(1, 40, (3, 5)), torch.randint(1, 40, (3, 4))
    batch = inputs, torch.tensor([5, 4, 2]), targets, torch.ones(3, 4)
    torch.manual_seed(1)
    found = Agreeing(objective, 4.0)(*batch)
    torch.manual_seed(1)
    twice = objective.think(model, inputs.repeat(2, 1), batch[1].repeat(2), targets.repeat(2, 1))
    p, q = model.head(twice).softmax(-1).flatten(1, 1).view(2, 12, 40)
    ce = objective.cost(twice, targets.repeat(2, 1), torch.ones(6, 4))
    expected = ce / 2 + ((p * (p / q).log()).sum() + (q * (q / p).log()).sum())
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_no_alpha_is_no_second_pass():
    objective, _ = made("labels")
    assert agreeing(objective, 0.0) is objective


def test_a_model_without_dropout_is_refused():
    objective, _ = made("labels", dropout=0.0)
    with pytest.raises(ConfigError, match="no dropout"):
        agreeing(objective, 5.0)


def test_dropout_of_an_adapter_alone_is_enough():
    from seqwise.models.lora import LoraSettings, attach

    objective, _ = made("labels", dropout=0.0)
    attach(objective.model, LoraSettings(rank=2, dropout=0.2))
    assert isinstance(agreeing(objective, 5.0), Agreeing)
