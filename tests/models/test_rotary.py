import math

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from seqwise.errors import ConfigError
from seqwise.models.positions import PositionSettings, turns
from seqwise.models.rotary import Rotation, RotationSettings, frequencies, sharpness, stretched

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
YARN = {"factor": 16.0, "original_max_position_embeddings": 4096}
MSCALE = (0.1 * 0.7 * math.log(16) + 1) / (0.1 * math.log(16) + 1)
WAYS = {
    "linear": (RotationSettings("linear", 4.0), {"rope_type": "linear", "factor": 4.0}),
    "dynamic": (RotationSettings("dynamic", 2.0, 4096), {"rope_type": "dynamic", "factor": 2.0}),
    "llama3": (RotationSettings("llama3", 8.0, 8192, 1.0, 4.0), {"rope_type": "llama3", **LLAMA3}),
    "yarn": (RotationSettings("yarn", 16.0, 4096, 1.0, 32.0), {"rope_type": "yarn", **YARN}),
    "yarn, exact bounds": (
        RotationSettings("yarn", 16.0, 4096, 1.0, 32.0, whole=False),
        {"rope_type": "yarn", **YARN, "truncate": False},
    ),
    "yarn, other bounds": (
        RotationSettings("yarn", 16.0, 4096, 2.0, 16.0, sharpness=1.3),
        {"rope_type": "yarn", **YARN, "beta_slow": 2.0, "beta_fast": 16.0, "attention_factor": 1.3},
    ),
    "yarn, mscale": (
        RotationSettings("yarn", 16.0, 4096, 1.0, 32.0, sharpness=MSCALE),
        {"rope_type": "yarn", **YARN, "mscale": 0.7, "mscale_all_dim": 1.0},
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("theta", [10_000.0, 500_000.0])
@pytest.mark.parametrize("width", [64, 128])
def test_stretched_angles_are_those_of_transformers(way, theta, width):
    """Oracle: ROPE_INIT_FUNCTIONS of transformers, angles and the factor on cosine and sine."""
    settings, told = WAYS[way]
    config = LlamaConfig(
        hidden_size=4 * width,
        num_attention_heads=4,
        max_position_embeddings=4096,
        rope_parameters={**told, "rope_theta": theta},
    )
    theirs, factor = ROPE_INIT_FUNCTIONS[told["rope_type"]](config, torch.device("cpu"))
    torch.testing.assert_close(stretched(frequencies(width, theta), theta, settings), theirs, atol=1e-7, rtol=1e-5)
    assert sharpness(settings) == pytest.approx(factor)


def test_unstretched_angles_stay():
    rates = frequencies(32)
    assert torch.equal(stretched(rates, 1e4, RotationSettings()), rates)
    assert sharpness(RotationSettings()) == 1.0


def test_dynamic_positions_are_refused_beyond_the_trained_ones():
    settings = RotationSettings("dynamic", 2.0, 16)
    Rotation.at(torch.arange(16), 8, settings=settings)
    with pytest.raises(ConfigError, match="a text of 17 tokens: needs at most 16"):
        Rotation.at(torch.arange(17), 8, settings=settings)


def test_rows_turn_by_positions_of_their_own():
    x = torch.randn(2, 3, 4, 8)
    where = torch.stack([torch.arange(4), torch.arange(7, 11)])
    both = Rotation.at(where, 8).turn(x)
    for i in range(2):
        torch.testing.assert_close(both[i : i + 1], Rotation.at(where[i], 8).turn(x[i : i + 1]))


def test_layers_with_a_window_turn_by_an_unstretched_base_of_their_own():
    settings = PositionSettings("rotary", theta=1e6, local_theta=1e4, rotation=RotationSettings("linear", 8.0))
    where = torch.arange(5)
    near, far = turns(settings, 8, where, local=True), turns(settings, 8, where)
    torch.testing.assert_close(near.cos, Rotation.at(where, 8, 1e4).cos)
    torch.testing.assert_close(far.sin, Rotation.at(where, 8, 1e6, settings=settings.rotation).sin)


def test_bounds_in_the_wrong_order_are_a_fault():
    (fault,) = RotationSettings("yarn", low=32.0, high=1.0).faults()
    assert "rotation.high" in str(fault)
