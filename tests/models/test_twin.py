"""A twin says nearly what its model says, and takes nothing from it."""

import pytest
import torch

from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_decoder
from seqwise.models.compact import Product, compact
from seqwise.models.embeddings import Embeddings
from seqwise.models.linear import Linear
from seqwise.models.lora import LoraSettings, attach
from seqwise.models.positions import PositionSettings
from seqwise.models.twin import twin


def model(dtype=torch.float32):
    settings = TransformerSettings(
        shape="decoder", width=32, layers=2, heads=2, feed_forward=FeedForwardSettings(width=48),
        positions=PositionSettings("rotary"),
    )  # fmt: skip
    torch.manual_seed(2)
    return build_decoder(settings, 40).to(dtype).eval()


IDS = torch.arange(5, 25).view(2, 10)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_twin_is_near_its_model_which_stays_to_the_bit(dtype):
    made = model(dtype)
    before, parts = made(IDS), [type(part) for part in made.modules()]
    copied = twin(made)
    torch.testing.assert_close(copied(IDS).to(dtype), before, rtol=0.1, atol=0.1)
    assert torch.equal(made(IDS), before)
    assert [type(part) for part in made.modules()] == parts
    assert not any(isinstance(part, Linear) for part in copied.modules())


@torch.no_grad()
def test_a_table_of_two_bytes_is_shared():
    made = model(torch.bfloat16)
    (table,) = {part for part in made.modules() if isinstance(part, Embeddings)}
    assert twin(made).decoder.embed.weight.data_ptr() == table.weight.data_ptr()


@torch.no_grad()
def test_a_model_of_fp16_products_has_a_twin_of_int8_products():
    made = compact(model(), "fp16")
    copied = twin(made)
    kinds = {part.kind for part in copied.modules() if isinstance(part, Product)}
    assert kinds == {"int8"}
    assert {part.kind for part in made.modules() if isinstance(part, Product)} == {"fp16"}
    torch.testing.assert_close(copied(IDS), made(IDS), rtol=0.1, atol=0.1)


def test_where_a_twin_would_be_no_faster_it_is_refused():
    with pytest.raises(ConfigError, match="int8 weights"):
        twin(compact(model(), "int8"))
    adapted = model()
    attach(adapted, LoraSettings(rank=2))
    with pytest.raises(ConfigError, match="adapters"):
        twin(adapted)
