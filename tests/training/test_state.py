import torch

from seqwise.data.loader import Loader
from seqwise.training.optim import OptimizerSettings, Weights, adamw
from seqwise.training.state import TrainingState


def state(ema=0.0):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    weights = Weights(model, torch.float32)
    loader = Loader([[4, 5]] * 6, [[6]] * 6, batch_tokens=4, seed=1, eos=3)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), OptimizerSettings(rate=0.1))
    return model, TrainingState(weights, optimizer, loader, ema)


def move(model, made):
    made.optimizer.zero_grad()
    model(torch.ones(1, 3)).square().sum().backward()
    made.optimizer.step()
    made.progress.step += 1
    next(made.loader)
    made.average()


def test_what_is_written_down_and_restored_goes_on_to_the_same_bits():
    model, made = state(ema=0.9)
    for _ in range(3):
        move(model, made)
    tensors = {name: tensor.clone() for name, tensor in made.tensors().items()}
    facts = made.facts()
    for _ in range(2):
        move(model, made)
    other_model, other = state(ema=0.9)
    other.restore(tensors, facts)
    for _ in range(2):
        move(other_model, other)
    assert other.facts() == made.facts()
    assert other.tensors().keys() == made.tensors().keys()
    assert all(torch.equal(tensor, made.tensors()[name]) for name, tensor in other.tensors().items())


def test_a_state_of_an_older_version_is_restored():
    model, made = state()
    move(model, made)
    made.progress.looks_since_best = 2
    facts = made.facts()
    facts["progress"]["worse"] = facts["progress"].pop("looks_since_best")
    _, other = state()
    other.restore(made.tensors(), facts)
    assert other.progress == made.progress


def test_the_moving_average_follows_its_definition():
    model, made = state(ema=0.5)
    expected = [w.detach().clone() for w in made.weights.master]
    for step in range(1, 5):
        move(model, made)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [decay * e + (1 - decay) * w.detach() for e, w in zip(expected, made.weights.master, strict=True)]
    found = made.best_weights()
    for name, value in zip(made.weights.names, expected, strict=True):
        torch.testing.assert_close(found[name], value)
