import math

import pytest
import torch
from torch import nn

from seqwise.config import check
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, NormSettings, TransformerSettings
from seqwise.models.assemble import build, build_pretrained
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import ChangeSettings, LabelsSettings, TokensSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.positions import PositionSettings
from seqwise.training.moving import MovingSettings, Thawing, depth, matches, rates, settle
from seqwise.training.optim import OptimizerSettings, Weights, adamw, set_rate

PARTS = {"width": 16, "heads": 2, "feed_forward": FeedForwardSettings(width=24)}


def bert():
    settings = TransformerSettings(
        shape="encoder",
        layers=3,
        segments=2,
        norm=NormSettings(place="post", embeddings=True),
        positions=PositionSettings(kind="learned", longest=32),
        **PARTS,
    )
    return build_pretrained(settings, LabelsSettings(labels=3, change=ChangeSettings()), 40)


def gpt():
    settings = TransformerSettings(shape="decoder", layers=4, embeddings=EmbeddingSettings(tied="all"), **PARTS)
    return build_pretrained(settings, TokensSettings(), 40)


def transformer():
    return build(TransformerSettings(layers=3, decoder_layers=2, **PARTS), 40, 40)


def lstm():
    return build(LSTMSettings(width=16, layers=2, dropout=0.0), 40, 40)


def names(model):
    return [name for name, _ in model.named_parameters()]


def depths(model):
    every = names(model)
    return {name: depth(name, every) for name in every}


def test_a_post_norm_encoder_goes_down_from_its_head():
    found = depths(bert())
    assert {d for name, d in found.items() if name.startswith("head.")} == {0}
    for layer in range(3):
        assert {d for name, d in found.items() if f".layers.{layer}." in name} == {3 - layer}
    below = {name for name, d in found.items() if d == 4}
    assert below == {
        "encoder.embed.weight",
        "encoder.positions.table.weight",
        "encoder.segments.weight",
        "encoder.embed_norm.weight",
        "encoder.embed_norm.bias",
    }


def test_a_tied_table_is_as_deep_as_the_embeddings():
    found = depths(gpt())
    assert found["decoder.embed.weight"] == 5
    assert {found[f"decoder.layers.{i}.attend.qkv.weight"] for i in range(4)} == {1, 2, 3, 4}
    assert found["decoder.last_norm.weight"] == 0
    assert not any(name.startswith("head") for name in found)


def test_both_stacks_of_an_encoder_decoder_end_at_the_head():
    found = depths(transformer())
    assert [found[f"encoder.layers.{i}.attend.qkv.weight"] for i in range(3)] == [3, 2, 1]
    assert [found[f"decoder.layers.{i}.cross.q.weight"] for i in range(2)] == [2, 1]
    assert found["encoder.embed.weight"] == 4


def test_layers_of_lstms_are_told_from_their_names():
    found = depths(lstm())
    assert found["encoder.stack.layers.1.backwards.weight_ih_l0"] == 1
    assert found["decoder.stack.layers.0.forwards.weight_hh_l0"] == 2
    assert found["encoder.embed.weight"] == found["decoder.bridge.0.weight"] == 3
    assert found["decoder.attend.hidden.weight"] == 0


def test_rates_fall_by_layers_as_in_electra():
    """rate * decay ** (layers + 1 - layer), the embeddings being layer 0 and the head the last: Clark et al. 2020."""
    model = bert()
    share = rates(MovingSettings(layer_decay=0.8), names(model))
    for name in names(model):
        layer = 4 if name.startswith("head.") else int(name.split(".")[2]) + 1 if ".layers." in name else 0
        assert share(name) == pytest.approx(0.8 ** (4 - layer)), name


def test_lora_plus_hastens_the_second_matrix_alone():
    first, second = (f"encoder.layers.0.attend.qkv.{one}.default.q_proj" for one in ("lora_a", "lora_b"))
    share = rates(MovingSettings(lora_plus=16.0), [first, second])
    assert share(second) == 16.0
    assert share(first) == share("head.out.weight") == 1.0


def test_shares_scale_the_steps_of_adam():
    """Adam's first step is the rate itself, whatever the gradient."""
    model = nn.ModuleDict({"embed": nn.Linear(3, 3), "head": nn.Linear(3, 3)})
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    settings = OptimizerSettings(rate=0.5, weight_decay=0.0)
    optimizer = adamw(model.named_parameters(), settings, lambda name: 0.1 if name.startswith("embed") else 1.0)
    set_rate(optimizer, 0.01)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    for name, p in model.named_parameters():
        moved = (p.detach() - before[name]).abs()
        torch.testing.assert_close(moved, torch.full_like(moved, 0.001 if "embed" in name else 0.01), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("embed", "encoder.embed.weight", "encoder.embed_norm.weight"),
        ("encoder", "encoder.layers.0.feed.up.bias", "decoder.layers.0.feed.up.bias"),
        ("layers.1", "encoder.layers.1.feed.up.bias", "encoder.layers.11.feed.up.bias"),
        ("layers.[0-2]", "decoder.layers.2.feed.up.bias", "decoder.layers.3.feed.up.bias"),
        ("encoder*norm", "encoder.layers.0.feed_norm.bias", "decoder.last_norm.bias"),
        ("*bias", "encoder.layers.0.feed.up.bias", "encoder.layers.0.feed.up.weight"),
        ("re:layers\\.\\d\\.feed\\.", "encoder.layers.7.feed.up.bias", "encoder.layers.17.feed.up.bias"),
    ],
)
def test_patterns_name_parts_between_dots(pattern, yes, no):
    assert matches(yes, pattern)
    assert not matches(no, pattern)


def test_what_is_frozen_is_told_by_names():
    model = bert()
    trained = settle(model, MovingSettings(freeze=("embed", "layers.[01]")))
    assert set(trained) == {n for n, d in depths(model).items() if d < 2 or not n.startswith("encoder.embed.")} - {
        n for n in names(model) if ".layers.0." in n or ".layers.1." in n
    }
    assert set(trained) == {name for name, p in model.named_parameters() if p.requires_grad}


def test_training_some_alone_never_thaws_what_an_adapter_has_frozen():
    model = bert()
    model.head.out.bias.requires_grad_(False)
    assert settle(model, MovingSettings(train=("head",), freeze=("change",))) == ("head.out.weight",)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (MovingSettings(freeze=("embd",)), r"--moving.freeze embd matches no weight: .* Try embed\."),
        (MovingSettings(train=("encoder.layer.0",)), r"Try encoder\.layers\.0\."),
        (MovingSettings(train=("zzz",)), r"Try one of encoder, head\."),
        (MovingSettings(freeze=("*",)), r"--moving.freeze \* leaves nothing to train"),
        (MovingSettings(train=("head",), freeze=("head",)), "leaves nothing to train"),
    ],
)
def test_patterns_that_cannot_be_meant_are_errors(settings, told):
    with pytest.raises(ConfigError, match=told):
        settle(bert(), settings)


def test_an_expression_that_is_none_is_refused_beforehand():
    with pytest.raises(ConfigError, match="a regular expression"):
        check(MovingSettings(freeze=("re:layers(",)))


def test_layers_join_from_the_head_down():
    model = bert()
    trained = settle(model, MovingSettings(freeze=("layers.1",)))
    thawing = Thawing.of(trained, names(model), 0.5)
    assert thawing is not None
    assert [len(group) > 0 for group in thawing.groups] == [True] * 4, "a frozen layer takes no turn"
    assert frozenset().union(*thawing.groups) == set(trained)
    found = depths(model)
    for passed, deepest in ((0.0, 0), (0.49, 0), (0.5, 1), (0.99, 1), (1.0, 3), (1.5, 4), (9.0, 4)):
        moving = set(trained) - thawing.held(passed)
        assert max(found[name] for name in moving) == deepest, passed
        assert moving == {name for name in trained if found[name] <= deepest}
    assert Thawing.of(trained, names(model), 0.0) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("prune", [False, True])
def test_held_weights_get_no_step_and_no_moments(dtype, prune):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    weights = Weights(model, dtype)
    optimizer = adamw(zip(weights.names, weights.master, strict=True), OptimizerSettings(rate=0.1))
    held = {"0.weight", "0.bias"}
    before = [w.detach().clone() for w in weights.master]
    for _ in range(2):
        weights.hold(held, prune)
        model(torch.ones(2, 3, dtype=dtype)).sum().backward()
        weights.hold(held, prune=False)
        norm = float(weights.norm())
        assert norm == pytest.approx(math.hypot(*(float(w.grad.float().norm()) for w in model[1].parameters())))
        weights.move(optimizer, 0.0, norm)
    moved = [not torch.equal(w.detach(), old) for w, old in zip(weights.master, before, strict=True)]
    assert moved == [False, False, True, True]
    assert [w in optimizer.state for w in weights.master] == moved
    weights.hold((), prune)
    assert all(p.requires_grad for p in model.parameters())
