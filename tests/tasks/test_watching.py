import math
from itertools import pairwise

import numpy as np
import pytest
import sacrebleu
import torch
from sklearn.metrics import accuracy_score, f1_score, log_loss
from torch import nn
from torch.nn import functional

from seqwise.data.batch import Rows
from seqwise.data.examples import Examples, ordered
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build, build_classifier, build_decoder
from seqwise.models.heads import LabelsSettings
from seqwise.tasks.tuning.answers import scored_texts
from seqwise.tasks.tuning.items import Items
from seqwise.tasks.watching import LabelWatcher, OutputWatcher, TextWatcher, alike, looking, part, part_of
from seqwise.training.objectives import Objective

SMALL = TransformerSettings(width=16, layers=1, heads=2, dropout=0.3, feed_forward=FeedForwardSettings(width=32))
NAMES = ("bad", "good", "so-so")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(3)


def rows(count, seed):
    chance = np.random.default_rng(seed)
    return [chance.integers(4, 30, chance.integers(2, 9)).tolist() for _ in range(count)]


def labelled(count, seed):
    labels = np.random.default_rng(seed).integers(0, 3, count)
    return Examples(Rows.of(rows(count, seed)), Rows.of([[int(label)] for label in labels]))


def fresh(model):
    return {name: 0.3 * torch.randn_like(weight) for name, weight in model.named_parameters()}


def test_labels_are_scored_as_scikit_learn_does():
    model, examples = build_classifier(SMALL, LabelsSettings(labels=3, pool="mean"), 30), labelled(40, 1)
    weights = fresh(model)
    model.train()
    texts = [f"text {i}" for i in range(40)]
    look = LabelWatcher(model, examples, NAMES, texts, 64)(weights)
    assert model.training
    model.eval()
    with torch.no_grad():
        chances = torch.cat([model(*_one(row)).softmax(1) for row in rows(40, 1)]).numpy()
    true, found = examples.targets.flat, chances.argmax(1)
    assert look.scores["accuracy"] == pytest.approx(100 * accuracy_score(true, found))
    assert look.scores["macro_f1"] == pytest.approx(100 * f1_score(true, found, average="macro"))
    assert look.scores["loss"] == pytest.approx(log_loss(true, chances, labels=[0, 1, 2]), rel=1e-4)
    assert look.losses.valid.nats == pytest.approx(-np.log(chances[np.arange(40), true]), rel=1e-4)
    assert look.losses.valid.targets.tolist() == [1.0] * 40
    assert look.losses.train is None
    told = [(sample.source, sample.reference, sample.output) for sample in look.samples]
    assert told == [(texts[i], NAMES[true[i]], NAMES[found[i]]) for i in range(3)]


def _one(row):
    return torch.tensor([row]), torch.tensor([len(row)])


def test_the_loss_of_training_items_stands_beside_that_of_the_others():
    model, examples, others = build_classifier(SMALL, LabelsSettings(labels=3), 30), labelled(20, 1), labelled(25, 2)
    weights = fresh(model)
    texts = ["text"] * 20
    both = LabelWatcher(model, examples, NAMES, texts, 64, others)(weights).scores
    alone = LabelWatcher(model, others, NAMES, ["text"] * 25, 64)(weights).scores
    assert both["train_loss"] == pytest.approx(alone["loss"])
    assert both["gap"] == pytest.approx(both["loss"] - both["train_loss"])


@pytest.mark.parametrize("packed", [False, True])
def test_texts_are_scored_by_every_token_that_counts(packed):
    model = build_decoder(SMALL, 30)
    texts = rows(15, 1)
    counted = [[int(i % 3 != 1) for i in range(len(row) - 1)] for row in texts]
    examples = Examples(Rows.of([r[:-1] for r in texts]), Rows.of([r[1:] for r in texts]), Rows.of(counted))
    weights = fresh(model)
    look = TextWatcher(model, examples, 40, packed=packed)(weights)
    model.eval()
    total, count = 0.0, 0
    items = []
    with torch.no_grad():
        for row, kept in zip(texts, counted, strict=True):
            losses = functional.cross_entropy(
                model(torch.tensor([row[:-1]]))[0], torch.tensor(row[1:]), reduction="none"
            )
            items.append(float((losses * torch.tensor(kept)).sum()))
            total, count = total + items[-1], count + sum(kept)
    assert look.scores["loss"] == pytest.approx(total / count, rel=1e-4)
    assert look.losses.valid.nats == pytest.approx(items, rel=1e-4)
    assert look.losses.valid.targets.tolist() == [sum(kept) for kept in counted]
    assert look.scores["perplexity"] == pytest.approx(math.exp(total / count), rel=1e-3)


def test_outputs_come_from_whoever_translates():
    model = build(SMALL, 30, 30)
    pairs = Examples(Rows.of(rows(6, 1)), Rows.of(rows(6, 2)))
    weights, asked = fresh(model), []

    def translate(texts):
        asked.append(list(texts))
        assert not model.training
        return ["the cat sat"] * len(texts)

    texts = ["a", "b"], ["the cat sat", "a dog"]
    watcher = OutputWatcher(
        model, Objective(model, 2, 0.0), lambda: ordered(pairs, 64), *texts, translate=translate, measure="rouge"
    )
    scores = watcher(weights).scores
    assert asked == [["a", "b"]]
    assert scores.keys() == {"loss", "rouge1", "rouge2", "rougeL"}
    assert scores["rouge1"] == pytest.approx(50.0)
    losses = watcher(weights).losses.valid
    assert losses.nats.sum() / losses.targets.sum() == pytest.approx(scores["loss"], rel=1e-6)
    assert losses.targets.tolist() == pairs.targets.lengths.tolist()


def test_a_script_that_rouge_does_not_know_is_scored_all_the_same():
    assert alike(["кошка спит"], ["кошка спит"], "rouge")["rougeL"] == pytest.approx(100.0)


def test_weights_are_chosen_by_words_of_the_script():
    """By 13a each of these sentences is one word, and no output that differs in a letter is worth anything."""
    right = ["我今天非常高兴，因为天气很好。", "他昨天去了北京的学校。"]
    said = ["我今天非常高兴，因为天气好。", "他昨天去北京的学校。"]
    expected = sacrebleu.corpus_bleu(said, [right], tokenize="zh").score
    assert alike(said, right, "bleu")["bleu"] == pytest.approx(expected)
    items = Items(("a", "b"), tuple(right), ("f:1", "f:2"))
    assert scored_texts("translate", said, items)["bleu"] == pytest.approx(expected)


def test_weights_that_are_not_named_stay():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    before = model[1].weight.clone()
    with looking(model, {"0.weight": torch.zeros(2, 2)}):
        assert torch.is_inference_mode_enabled()
        assert not model.training
    assert model[0].weight.abs().sum() == 0
    assert torch.equal(model[1].weight, before)


def test_the_part_of_the_training_data_is_ever_the_same():
    assert part(5000, 300, 7) == part(5000, 300, 7) != part(5000, 300, 8)
    assert len(part(5000, 300, 7)) == 300
    assert len(part(5000, 4000, 7)) == 1000
    assert part(20, 4000, 7) == list(range(20))
    examples = labelled(50, 1)
    chosen = part_of(examples, labelled(8, 2), 7)
    known = {tuple(row): label for row, label in zip(rows(50, 1), examples.targets.flat.tolist(), strict=True)}
    starts = chosen.inputs.starts
    found = [tuple(chosen.inputs.flat[a:b].tolist()) for a, b in pairwise(starts)]
    assert [known[row] for row in found] == chosen.targets.flat.tolist()
    assert len(found) == 8
