"""Forecasters against torch's own LSTM, against themselves without a cache, and on series whose future is known."""

import pytest
import torch
from torch import nn

from seqwise.config import check
from seqwise.errors import ConfigError
from seqwise.models.distributions import count, told
from seqwise.models.forecaster import Forecaster, LSTMForecaster, TransformerForecaster, faults
from seqwise.models.forecaster_lstm import LSTMTrunk, leap
from seqwise.models.instance import Frame
from seqwise.models.lstm import LSTMState, LSTMWeights, lstm_step

B, L, H, C, K, SEEN = 4, 13, 10, 3, 2, 2
SETTINGS = (LSTMForecaster, TransformerForecaster)
CHANNELS = ("apart", "together")


def direct(kind, head="normal", observed=SEEN, known=K, horizon=H, **settings):
    settings = {"width": 16, "segment": 4, **settings}
    return Forecaster(kind(**settings), C + observed + known, known, C, 2, horizon, head).eval()


def rolling(kind, head="normal", known=K, **settings):
    settings = {"width": 16, "strategy": "rolled", **settings}
    return Forecaster(kind(**settings), C + known, known, C, 1, H, head).eval()


def window(observed=SEEN, known=K, rows=B, seed=5):
    generator = torch.Generator().manual_seed(seed)
    past = torch.randn(rows, L, C + observed + known, generator=generator)
    future = torch.randn(rows, H, known, generator=generator)
    return past, future, torch.tensor([0, 1, -1, 0])[:rows]


# --- the trunk of the LSTM ---


def test_a_leap_is_a_step_of_torchs_lstm():
    """Reading the past and one input more, with torch.nn.LSTM, gives what the leap gives for each input."""
    trunk = LSTMTrunk(LSTMForecaster(width=8, layers=2)).eval()
    oracle = nn.LSTM(8, 8, 2, batch_first=True)
    for i, layer in enumerate(trunk.stack):
        for name, value in layer.forwards.named_parameters():
            oracle.get_parameter(name.replace("_l0", f"_l{i}")).data.copy_(value.data)
    read, asked = torch.randn(4, 3, 6, 8), torch.randn(1, 3, 5, 8)
    found = trunk.answer(read, asked)
    assert found.shape == (4, 3, 5, 8)
    for m in range(5):
        last = asked[:, :, m].expand(4, -1, -1).reshape(12, 1, 8)
        outputs, _ = oracle(torch.cat((read.flatten(0, 1), last), 1))
        torch.testing.assert_close(found[:, :, m].flatten(0, 1), outputs[:, -1], atol=1e-6, rtol=1e-5)


def test_a_leap_has_the_gradients_of_a_step():
    layer = next(iter(LSTMTrunk(LSTMForecaster(width=8)).stack))
    x, hidden, cell = (torch.randn(*shape, requires_grad=True) for shape in ((2, 3, 5, 8), (6, 8), (6, 8)))
    states = LSTMState(hidden.repeat_interleave(5, 0), cell.repeat_interleave(5, 0))
    _, after = lstm_step(x.flatten(0, 2), states, LSTMWeights.of(layer.forwards))
    wanted = torch.autograd.grad(after.hidden.square().sum(), (x, hidden, cell, *layer.parameters()))
    found = leap(layer, x, LSTMState(hidden, cell)).square().sum()
    for ours, theirs in zip(torch.autograd.grad(found, (x, hidden, cell, *layer.parameters())), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


# --- direct ---


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("head", ["normal", "student", "quantiles"])
@pytest.mark.parametrize("segment", [1, 4])
def test_every_step_and_target_has_its_distribution(kind, channels, head, segment):
    model = direct(kind, head, channels=channels, segment=segment)
    parameters = model(*window())
    assert parameters.shape == (B, H, C, count(head))
    assert parameters.dtype == torch.float32
    assert (told(head, parameters).sd > 0).all()


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("instance", ["mean", "last", "standard"])
def test_a_series_at_another_level_goes_on_at_that_level(kind, instance):
    model = direct(kind, instance=instance)
    past, future, series = window()
    moved = past.clone()
    moved[..., :C] += torch.tensor([10.0, -3.0, 0.5])
    found, higher = model(past, future, series), model(moved, future, series)
    torch.testing.assert_close(higher[..., 0], found[..., 0] + torch.tensor([10.0, -3.0, 0.5]), atol=1e-4, rtol=0)
    torch.testing.assert_close(higher[..., 1], found[..., 1], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(direct(kind, instance="off")(moved, future, series)[..., 1], found[..., 1])


def test_a_window_in_its_own_units_and_back():
    y = 7 + 3 * torch.randn(4, 50, 2)
    frame = Frame.of(y, "standard")
    inside = frame.inside(y)
    torch.testing.assert_close(inside.mean(1), torch.zeros(4, 2), atol=1e-5, rtol=0)
    torch.testing.assert_close(inside.std(1, correction=0), torch.ones(4, 2), atol=1e-3, rtol=0)
    torch.testing.assert_close(inside * frame.scale + frame.shift, y)
    torch.testing.assert_close(Frame.of(y, "last").inside(y)[:, -1], torch.zeros(4, 2))
    torch.testing.assert_close(Frame.of(y, "off").inside(y), y)
    torch.testing.assert_close(Frame.of(y, "mean").inside(y), y - y.mean(1, keepdim=True))
    flat = Frame.of(torch.full((1, 9, 1), 5.0), "standard")
    assert float(flat.scale) > 0.01


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_series_that_swings_twice_as_far_is_foreseen_to_do_so(kind):
    model = direct(kind, instance="standard")
    past, future, series = window()
    wider = past.clone()
    past[..., :C] *= 100  # so that what is added to a window's standard deviation is nothing
    wider[..., :C] *= 200
    torch.testing.assert_close(model(wider, future, series), 2 * model(past, future, series), atol=1e-2, rtol=1e-3)


@pytest.mark.parametrize("kind", SETTINGS)
def test_targets_apart_do_not_see_each_other(kind):
    past, future, series = window()
    other = past.clone()
    other[..., 1] = torch.randn(B, L)
    for channels in CHANNELS:
        model = direct(kind, channels=channels, instance="off")
        same = torch.isclose(model(past, future, series), model(other, future, series), atol=1e-6).all(-1).all(1).all(0)
        assert same.tolist() == ([True, False, True] if channels == "apart" else [False] * 3)


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_is_known_of_a_segment_matters_to_it(kind):
    model = direct(kind, layers=1)
    past, future, series = window()
    other = future.clone()
    other[:, 4:8] += 1
    changed = (model(past, future, series) - model(past, other, series)).abs().amax((0, 2, 3)) > 1e-6
    assert changed[4:8].all()
    if kind is LSTMForecaster:  # each segment is a leap of its own; in a Transformer they see each other
        assert not changed[:4].any()
        assert not changed[8:].any()


def test_a_past_that_is_no_multiple_of_the_segment_begins_with_its_first_step_repeated():
    model = direct(LSTMForecaster, instance="off")
    past, future, series = window()
    longer = torch.cat((past[:, :1].expand(-1, 3, -1), past), 1)
    torch.testing.assert_close(model(past, future, series), model(longer, future, series))


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_series_has_a_vector_and_an_unknown_one_has_none(kind):
    model = direct(kind)
    past, future, _ = window()
    at = [model(past, future, torch.full((B,), k)) for k in (0, 1, -1)]
    torch.testing.assert_close(at[0], at[2])  # nothing learned yet
    model.series_embedding.data.normal_()
    at = [model(past, future, torch.full((B,), k)) for k in (0, 1, -1)]
    assert not torch.allclose(at[0], at[1])
    torch.testing.assert_close(at[2], direct_copy(model)(past, future, torch.zeros(B, dtype=torch.int64)))


def direct_copy(model):
    """The same weights, no series apart."""
    copy = Forecaster(model.settings, C + SEEN + K, K, C, 1, H).eval()
    weights = {name: value for name, value in model.state_dict().items() if name != "series_embedding"}
    copy.load_state_dict(weights)
    return copy


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_shorter_horizon_and_one_that_is_too_long(kind):
    model = direct(kind, known=0)
    past, _, series = window(known=0)
    if kind is LSTMForecaster:
        torch.testing.assert_close(
            model(past, past.new_zeros(B, 5, 0), series), model(past, past.new_zeros(B, H, 0), series)[:, :5]
        )
    with pytest.raises(ConfigError, match="at most the 10"):
        model(past, past.new_zeros(B, 11, 0), series)


@pytest.mark.parametrize("kind", SETTINGS)
def test_in_bf16_the_answer_is_much_the_same(kind):
    model = direct(kind)
    found = model(*window())
    wide = model.to(torch.bfloat16)(*window())
    assert wide.dtype == torch.float32
    torch.testing.assert_close(wide, found, atol=0.1, rtol=0.1)


# --- rolled ---


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("known", [0, K])
def test_drawn_step_by_step_with_a_state_is_drawn_without_one(kind, channels, known):
    """Each step of a path is a draw from what `foretold` says of it, given the steps before: all worked out anew."""
    model = rolling(kind, channels=channels, known=known, layers=2)
    past, future, series = window(observed=0, known=known)
    drawn = model.rolled(past, future, series, H, 1, torch.Generator().manual_seed(2))[0]
    generator = torch.Generator().manual_seed(2)
    for t in range(H):
        known_until = torch.cat((drawn[:, :t], torch.zeros(B, H - t, C)), 1)
        foreseen = model.foretold(past, future, known_until, series)
        again = foreseen.sample(1, torch.Generator().manual_seed(0))[0, :, t]
        assert again.shape == (B, C)
        step = told("normal", foreseen.parameters[:, t : t + 1]).sample(1, generator)[0, :, 0]
        torch.testing.assert_close(drawn[:, t], step, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", SETTINGS)
@pytest.mark.parametrize("head", ["normal", "student", "quantiles"])
def test_paths_differ_and_a_seed_draws_them_again(kind, head):
    model = rolling(kind, head)
    past, future, series = window(observed=0)
    paths = model.rolled(past, future, series, 6, 5, torch.Generator().manual_seed(1))
    assert paths.shape == (5, B, 6, C)
    assert (paths.std(0) > 0).all()
    again = model.rolled(past, future, series, 6, 5, torch.Generator().manual_seed(1))
    torch.testing.assert_close(paths, again, rtol=0, atol=0)


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_first_step_of_many_paths_is_distributed_as_foretold(kind):
    model = rolling(kind)
    past, future, series = window(observed=0)
    paths = model.rolled(past, future, series, 1, 4000, torch.Generator().manual_seed(1))
    wanted = model.foretold(past, future[:, :1], torch.zeros(B, 1, C), series)
    torch.testing.assert_close(paths.mean(0), wanted.mean, atol=0.1, rtol=0.1)
    torch.testing.assert_close(paths.std(0), wanted.sd, atol=0.1, rtol=0.1)


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_comes_later_is_not_seen(kind):
    model = rolling(kind)
    past, future, series = window(observed=0)
    targets = torch.randn(B, H, C)
    other = targets.clone()
    other[:, 4:] += 5
    found, changed = (model.foretold(past, future, y, series).parameters for y in (targets, other))
    torch.testing.assert_close(found[:, :5], changed[:, :5])
    assert not torch.allclose(found[:, 5:], changed[:, 5:])


def test_each_kind_of_model_says_how_it_is_asked():
    past, future, series = window(observed=0)
    with pytest.raises(TypeError, match="foretold"):
        rolling(LSTMForecaster)(past, future, series)
    with pytest.raises(TypeError, match="at once"):
        direct(LSTMForecaster, observed=0).rolled(past, future, series, H, 3)
    with pytest.raises(ConfigError, match="known in advance for a horizon of 30"):
        rolling(LSTMForecaster).rolled(past, future, series, 30, 2)


def test_where_nothing_is_known_a_path_has_any_length():
    past, future, series = window(observed=0, known=0)
    assert rolling(LSTMForecaster, known=0).rolled(past, future, series, 30, 2).shape == (2, B, 30, C)


# --- settings ---


@pytest.mark.parametrize(
    ("settings", "told_"),
    [
        (LSTMForecaster(strategy="rolled", segment=4), "segments of one step"),
        (LSTMForecaster(chrono=1), "two steps or more"),
        (LSTMForecaster(chrono=9, forget_bias=2.0), "one of the two"),
        (TransformerForecaster(strategy="rolled", segment=2), "segments of one step"),
        (TransformerForecaster(width=10, heads=4), "divides"),
        (TransformerForecaster(width=12, heads=4), "even width"),
    ],
)
def test_contradictions_are_told(settings, told_):
    assert any(told_ in str(fault) for fault in settings.faults())
    with pytest.raises(ConfigError, match=told_):
        Forecaster(settings, C, 0, C, 1, H)


def test_what_is_not_known_in_advance_cannot_be_rolled():
    (fault,) = faults(LSTMForecaster(strategy="rolled"), C + K + 1, K, C)
    assert "1 columns that are not known in advance" in str(fault)


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_defaults_have_no_fault(kind):
    check(kind())
    assert list(faults(kind(), 9, 2, 3)) == []


@pytest.mark.parametrize("kind", [LSTMForecaster, TransformerForecaster])
def test_a_start_from_the_season_adds_what_was_a_season_ago(kind):
    """With a head that says nothing, the mean is the seasonal naive forecast."""
    settings = kind(width=8, start="season")
    model = Forecaster(settings, 2, 0, 2, 1, 5, "normal", season=3).eval()
    nn.init.zeros_(model.tell.weight)
    nn.init.zeros_(model.tell.bias)
    past = torch.randn(4, 7, 2)
    found = model.foreseen(past, torch.zeros(4, 5, 0), torch.zeros(4, dtype=torch.int64))
    assert torch.equal(found.mean, past[:, [4, 5, 6, 4, 5]])
    with pytest.raises(ConfigError, match="each step is drawn from the one before"):
        Forecaster(kind(width=8, start="season", strategy="rolled"), 2, 0, 2, 1, 5)
