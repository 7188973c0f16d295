import pytest
import torch

from seqwise.models.dropout import Dropout, dropout, scaled_mask


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_share_and_the_expectation_are_right(dtype, rate):
    torch.manual_seed(0)
    x = torch.ones(1000, 999, dtype=dtype)
    y = dropout(x, rate, training=True)
    dropped = round(rate * 256) / 256
    assert (y == 0).float().mean().item() == pytest.approx(dropped, abs=2e-3)
    assert y.float().mean().item() == pytest.approx(1, abs=4e-3)
    assert (y == 0).float().mean(0).std().item() < 0.03  # no column is dropped more often than another


def test_neighbours_are_independent():
    torch.manual_seed(0)
    kept = (dropout(torch.ones(2**20), 0.5, training=True) != 0).float() - 0.5
    for lag in (1, 2, 4, 8, 64):
        assert abs((kept[:-lag] * kept[lag:]).mean().item()) < 2e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_a_mask_is_zero_or_the_scale_in_its_type(dtype):
    """The scale is that of a rate of 26/256, rounded once."""
    mask = scaled_mask(torch.empty(7, 3, 5, dtype=dtype).transpose(0, 2), 0.1)
    assert mask.shape == (5, 3, 7)
    assert mask.dtype == dtype
    assert set(mask.unique().tolist()) == {0.0, torch.tensor(256 / 230, dtype=dtype).item()}


def test_the_gradient_passes_where_the_value_does():
    x = torch.randn(50, 50, requires_grad=True)
    y = dropout(x, 0.3, training=True)
    y.sum().backward()
    assert torch.equal(x.grad != 0, y != 0)
    torch.testing.assert_close(y, x * x.grad)


def test_the_seed_of_torch_decides():
    torch.manual_seed(5)
    first = dropout(torch.ones(100), 0.5, training=True)
    second = dropout(torch.ones(100), 0.5, training=True)
    torch.manual_seed(5)
    assert torch.equal(first, dropout(torch.ones(100), 0.5, training=True))
    assert not torch.equal(first, second)


def test_nothing_happens_in_evaluation():
    x = torch.randn(9)
    assert Dropout(0.5).eval()(x) is x
