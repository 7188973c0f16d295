import pytest
import torch

from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_classifier, build_decoder, count, units
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.heads import LabelsSettings
from seqwise.models.lstm import LSTMSettings

SMALL = TransformerSettings(width=16, layers=1, heads=2, feed_forward=FeedForwardSettings(width=32))


def tied(kind):
    return TransformerSettings(width=16, layers=1, heads=2, embeddings=EmbeddingSettings(tied=kind))


@pytest.mark.parametrize("settings", [SMALL, LSTMSettings(width=16, layers=1)], ids=["transformer", "lstm"])
def test_the_count_before_building_is_the_count_after(settings):
    model = build(settings, 50, 50)
    assert count(settings, 50, 50) == sum(p.numel() for p in model.parameters())


def test_a_small_transformer_has_the_parameters_one_counts_by_hand():
    w, f, v = 16, 32, 50
    attention = 4 * w * w + 4 * w
    feed, norm = 2 * w * f + f + w, 2 * w
    encoder, decoder = attention + feed + 2 * norm, 2 * attention + feed + 3 * norm
    assert count(SMALL, v, v) == v * w + encoder + decoder + 2 * norm


@pytest.mark.parametrize(("kind", "tables"), [("all", 1), ("output", 2), ("source-target", 2), ("none", 3)])
def test_what_is_tied_is_one_table(kind, tables):
    model = build(tied(kind), 50, 50)
    weights = {id(w) for w in (model.encoder.embed.weight, model.decoder.embed.weight, model.head.weight)}
    assert len(weights) == tables


def test_two_vocabularies_cannot_share_a_source_table():
    with pytest.raises(ConfigError, match=r"separate vocabularies.*--tokens\.joint"):
        build(tied("all"), 50, 60, joint=False)
    assert build(tied("output"), 50, 60, joint=False).head.weight.shape == (60, 16)


def test_only_an_encoder_decoder_translates():
    with pytest.raises(ConfigError, match=r"--model\.shape encoder-decoder"):
        build(TransformerSettings(shape="decoder"), 50, 50)


def test_the_seed_decides_the_weights():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(torch.cat([p.flatten() for p in build(SMALL, 50, 50).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_fused_projections_start_as_if_they_were_separate():
    torch.manual_seed(0)
    model = build(TransformerSettings(width=64, layers=1, heads=4), 50, 50)
    bound = (6 / (64 + 64)) ** 0.5
    weight = model.encoder.layers[0].attend.qkv.weight
    assert bound * 0.95 < weight.abs().max().item() <= bound
    assert model.encoder.embed.weight[0].abs().max() == 0


def test_a_classifier_and_a_decoder_have_the_parameters_one_counts_by_hand():
    w, f, v, labels = 16, 32, 50, 3
    layer = 4 * w * w + 4 * w + 2 * w * f + f + w + 2 * 2 * w
    trunk = v * w + layer + 2 * w
    classifier = build_classifier(SMALL, LabelsSettings(labels=labels), v)
    assert sum(p.numel() for p in classifier.parameters()) == trunk + w * labels + labels
    assert sum(p.numel() for p in build_decoder(SMALL, v).parameters()) == trunk  # the output is the table
    free = build_decoder(tied("none"), v)
    assert free.head.weight is not free.decoder.embed.weight


def test_the_parts_of_a_model_that_are_gathered_one_by_one_are_its_layers():
    both = build(TransformerSettings(width=16, layers=2, decoder_layers=1, heads=2), 50, 50)
    assert units(both) == [*both.encoder.layers, *both.decoder.layers]
    decoder = build_decoder(SMALL, 50)
    assert units(decoder) == [*decoder.decoder.layers]
    assert units(build_classifier(LSTMSettings(width=16, layers=1), LabelsSettings(), 50)) == []
