from contextlib import contextmanager

import pytest
import torch
from torch.nn import functional

from seqwise.data.batch import Batch, Rows
from seqwise.data.examples import Examples
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_pretrained
from seqwise.models.heads import LabelsSettings, TokensSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.vocabulary_loss import losses_and_sum, smoothed_loss
from seqwise.training import objectives
from seqwise.training.objectives import Anchored, LabelObjective, NextTokenObjective, Objective

SIZES = (5, 2, 7, 1)
PARTS = {"width": 16, "layers": 2, "heads": 2, "dropout": 0.0, "feed_forward": FeedForwardSettings(width=24)}


def decoder(head=None):
    return build_pretrained(TransformerSettings(shape="decoder", **PARTS), head or TokensSettings(), 40)


def encoder(pool="first"):
    return build_pretrained(TransformerSettings(shape="encoder", **PARTS), LabelsSettings(labels=3, pool=pool), 40)


def texts() -> Examples:
    inputs = [torch.randint(1, 40, (n,)).tolist() for n in SIZES]
    targets = [torch.randint(1, 40, (n,)).tolist() for n in SIZES]
    trained = [[0, *[1] * (n - 1)] if n > 1 else [1] for n in SIZES]
    return Examples(Rows.of(inputs), Rows.of(targets), Rows.of(trained))


def labels() -> Examples:
    return Examples(texts().inputs, Rows.of([[n % 3] for n in range(len(SIZES))]))


def all_of(examples: Examples, packed: bool = False) -> Batch:
    return examples.batch(torch.arange(len(examples)).numpy(), packed)


def of_each(examples: Examples) -> list[Batch]:
    return [examples.batch(torch.tensor([i]).numpy()) for i in range(len(examples))]


def value(loss: torch.Tensor) -> float:
    return loss.detach().item()


def one_hot(target, smoothing, n):
    return (1 - smoothing) * functional.one_hot(target, n) + smoothing / n


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("packed", [False, True])
def test_next_tokens_cost_the_cross_entropy_of_each_text_by_itself(smoothing, packed):
    """By log_softmax of all logits, text after text, without padding."""
    model, examples = decoder(), texts()
    expected = 0.0
    for batch in of_each(examples):
        likely = model(batch.inputs)[0].log_softmax(-1)
        losses = -(one_hot(batch.targets[0], smoothing, 40) * likely).sum(-1)
        expected += value((losses * batch.weights[0]).sum())
    found = NextTokenObjective(model, smoothing)(*all_of(examples, packed).tensors())
    assert value(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("made", ["encoder", "decoder"])
def test_labels_cost_the_cross_entropy_of_each_text_by_itself(smoothing, packed, made):
    model = encoder("mean") if made == "encoder" else decoder(LabelsSettings(labels=3, pool="last"))
    examples = labels()
    expected = 0.0
    for batch in of_each(examples):
        likely = model(batch.inputs, batch.lengths)[0].log_softmax(-1)
        expected -= value((one_hot(batch.targets[0, 0], smoothing, 3) * likely).sum())
    found = LabelObjective(model, smoothing)(*all_of(examples, packed).tensors())
    assert value(found) == pytest.approx(expected, rel=1e-5)


def test_an_example_of_weight_0_costs_nothing():
    """The loss of those that count: of the last two, each by itself."""
    objective = LabelObjective(encoder())
    examples = labels()
    inputs, lengths, targets, weights = all_of(examples).tensors()
    weights[:2] = 0
    expected = sum(value(objective(*one.tensors())) for one in of_each(examples)[2:])
    assert value(objective(inputs, lengths, targets, weights)) == pytest.approx(expected, rel=1e-5)


def test_labels_of_each_token_are_learnt_where_the_head_gives_them():
    model, examples = encoder("each"), texts()
    examples = Examples(examples.inputs, Rows.of([[k % 3 for k in range(n)] for n in SIZES]))
    found = LabelObjective(model)(*all_of(examples).tensors())
    expected = sum(
        value(functional.cross_entropy(model(one.inputs, one.lengths)[0], one.targets[0], reduction="sum"))
        for one in of_each(examples)
    )
    assert value(found) == pytest.approx(expected, rel=1e-5)


def divergence(before, now):
    """sum p log(p / q), written out."""
    p, q = before.softmax(-1), now.softmax(-1)
    return (p * (p.log() - q.log())).sum(-1)


def pair(make):
    torch.manual_seed(1)
    first = make()
    torch.manual_seed(2)
    return first, make()


def transformer():
    return build(TransformerSettings(**PARTS), 40, 40)


def lstm():
    return build(LSTMSettings(width=16, layers=1, dropout=0.0), 40, 40)


@pytest.mark.parametrize("chunk", [objectives.CHUNK, 80])  # 80: two positions at a time
@pytest.mark.parametrize("kind", ["next", "next packed", "labels", "transformer", "lstm"])
def test_an_anchor_adds_the_divergence_of_what_counts(kind, chunk, monkeypatch):
    """Value and gradients, against the definition with all logits at once."""
    monkeypatch.setattr(objectives, "CHUNK", chunk)
    make = {"labels": encoder, "transformer": transformer, "lstm": lstm}.get(kind, decoder)
    model, reference = pair(make)
    examples = labels() if kind == "labels" else texts()
    batch = all_of(examples, "packed" in kind)
    inputs, lengths, targets, weights = batch.tensors()
    objective = {"labels": LabelObjective, "next": NextTokenObjective, "next packed": NextTokenObjective}.get(kind)
    objective = objective(model, 0.1) if objective else Objective(model, 1, 0.1)
    if kind in ("transformer", "lstm"):
        shifted = torch.cat((torch.ones_like(targets[:, :1]), targets[:, :-1]), 1)
        now, before = (m(inputs, lengths, shifted) for m in (model, reference))
    else:
        now, before = (m(inputs, lengths) for m in (model, reference))
        now, before = (x[:, None] if kind == "labels" else x for x in (now, before))
    expected = objective(*batch.tensors()) + 0.3 * (divergence(before.detach(), now) * weights).sum()
    wanted = torch.autograd.grad(expected, list(model.parameters()), allow_unused=True)
    anchored = Anchored(objective, reference, 0.3)
    found = anchored(*batch.tensors())
    assert value(found) == pytest.approx(value(expected), rel=1e-5)
    found.backward()
    for (name, parameter), gradient in zip(model.named_parameters(), wanted, strict=True):
        given = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        gradient = torch.zeros_like(parameter) if gradient is None else gradient
        torch.testing.assert_close(given, gradient, atol=1e-5, rtol=1e-4, msg=name)


def test_a_reference_is_frozen_and_no_part_of_what_is_trained():
    model, reference = pair(decoder)
    anchored = Anchored(NextTokenObjective(model), reference, 1.0).train()
    assert {id(p) for p in anchored.parameters()} == {id(p) for p in model.parameters()}
    assert not reference.training
    assert not any(p.requires_grad for p in reference.parameters())
    assert not any("reference" in name for name in anchored.state_dict())


def test_the_anchor_of_an_unchanged_model_costs_nothing():
    model, _ = pair(decoder)
    torch.manual_seed(1)
    anchored = Anchored(NextTokenObjective(model), decoder(), 5.0)
    batch = all_of(texts(), packed=True)
    assert value(anchored(*batch.tensors())) == pytest.approx(value(NextTokenObjective(model)(*batch.tensors())))


def test_a_model_without_its_adapter_is_its_own_reference():
    """`untouched` changes the model for the pass of the reference alone; dropout rests meanwhile and comes back."""
    model, other = pair(decoder)
    own = {name: value.clone() for name, value in model.state_dict().items()}
    seen = []

    @contextmanager
    def untouched():
        model.load_state_dict(other.state_dict())
        yield
        seen.append(model.training)
        model.load_state_dict(own)

    batch = all_of(texts(), packed=True)
    model.train()
    with torch.no_grad():
        found = Anchored(NextTokenObjective(model), model, 0.5, untouched)(*batch.tensors())
        expected = Anchored(NextTokenObjective(model), other, 0.5)(*batch.tensors())
    assert value(found) == pytest.approx(value(expected), rel=1e-6)
    assert model.training
    assert seen[0] is False
    with pytest.raises(ValueError, match="its own anchor"):
        Anchored(NextTokenObjective(model), model, 0.5)


def test_a_batch_in_which_nothing_counts_costs_nothing_and_has_gradients():
    """A process without an example of its own computes one that counts for nothing."""
    model, reference = pair(decoder)
    inputs, lengths, targets, weights = all_of(texts(), packed=True).tensors()
    for objective in (NextTokenObjective(model), Anchored(NextTokenObjective(model), reference, 1.0)):
        model.zero_grad()
        loss = objective(inputs, lengths, targets, torch.zeros_like(weights))
        loss.backward()
        assert value(loss.detach()) == 0.0
        assert all(p.grad is not None and not p.grad.any() for p in model.parameters())


def test_an_anchor_without_weight_is_refused():
    model, reference = pair(decoder)
    with pytest.raises(ConfigError, match="an anchor of weight 0"):
        Anchored(NextTokenObjective(model), reference, 0.0)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["tokens", "labels"])
def test_losses_of_each_target_come_with_the_very_sum_that_the_objective_tells(kind, packed):
    objective, examples = (
        (NextTokenObjective(decoder()), texts()) if kind == "tokens" else (LabelObjective(encoder()), labels())
    )
    batch = all_of(examples, packed)
    with torch.no_grad():
        each, total = objective.each(*batch.tensors())
        assert torch.equal(total, objective(*batch.tensors()))
        alone = [value(objective(*one.tensors())) for one in of_each(examples)]
    assert each.shape == batch.targets.shape
    assert not each[batch.weights == 0].any()
    parts = torch.split(each[0], batch.lengths.tolist()) if packed and kind == "tokens" else each
    assert [value(part.sum()) for part in parts] == pytest.approx(alone, rel=1e-5)


@pytest.mark.parametrize("cap", [None, 3.0])
def test_the_sum_of_a_look_is_cross_entropy_to_the_bit(cap):
    hidden, weight, target = torch.randn(50, 8), torch.randn(70, 8), torch.randint(0, 70, (50,))
    each, total = losses_and_sum(hidden, weight, None, target, cap)
    logits = functional.linear(hidden, weight)
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    assert value(total) == pytest.approx(value(functional.cross_entropy(logits, target, reduction="sum")), rel=1e-6)
    assert torch.equal(smoothed_loss(hidden, weight, None, target, 0.0, cap), total)
    if cap is None:
        assert torch.equal(total, functional.cross_entropy(logits, target, reduction="sum"))
    torch.testing.assert_close(each, functional.cross_entropy(logits, target, reduction="none"))


def test_a_look_with_smoothing_is_refused():
    with pytest.raises(ValueError, match="smoothing"):
        NextTokenObjective(decoder(), 0.1).each(*all_of(texts()).tensors())
