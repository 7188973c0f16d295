"""A better trade is told of enough items, and enough clusters, that had no part in the choice."""

from types import SimpleNamespace

import numpy as np
import pytest

from seqwise.verbs.weighing import trading
from seqwise.verbs.weighing.asking import Terms
from seqwise.verbs.weighing.blends import Blends, Share
from seqwise.verbs.weighing.contenders import Contender, Field
from seqwise.verdict.scored import Measure, Scored

LOSS = Measure("loss", "score", "nats", lower=True)


def scored(system, part, shift, count, clusters=()):
    noise = np.random.default_rng(count).normal(0, 0.01, count)
    values = 1.0 + shift + noise * (1 + shift)
    return Scored(system, part, LOSS, tuple(map(str, range(count))), values, clusters=clusters)


@pytest.fixture
def asked(monkeypatch):
    """A blend that keeps the gain and loses nothing; the general set has so many items in so many clusters."""

    def ask(items, clusters=0):
        groups = tuple(f"d{i * clusters // items:02}" for i in range(items)) if clusters else ()

        def of(part, shift, count, labels=()):
            return scored("it", part, shift, count, labels)

        shares = tuple(
            Share(alpha, of("valid", gain, 200), (of("news", lost, items, groups),))
            for alpha, gain, lost in ((0.0, 0.5, 0.0), (0.5, 0.1, 0.001), (1.0, 0.1, 0.3))
        )
        made = Blends(shares, 0.5, of("test", 0.1, 200))
        monkeypatch.setattr(trading, "blends", lambda *_, **__: made)
        sides = {
            name: {"test": (scored(name, "test", test, 200),), "news": (scored(name, "news", news, items, groups),)}
            for name, test, news in (("base", 0.5, 0.0), ("tuned", 0.1001, 0.3))
        }
        found = Field(Contender("base", sides["base"]), (Contender("tuned", sides["tuned"], ("run",)),))
        request = SimpleNamespace(
            base="base", blend=(0.5,), valid=(), test=(), metric="auto", group_by=None, sets={"news": ()}
        )
        return trading.traded(request, Terms(), found)

    return ask


@pytest.mark.parametrize(("items", "clusters"), [(400, 0), (400, 12)])
def test_enough_of_them_tell(asked, items, clusters):
    answer, shown = asked(items, clusters)
    assert (answer.state, answer.answer) == ("MEASURED", "yes")
    assert shown is not None


@pytest.mark.parametrize(
    ("items", "clusters", "told"),
    [(400, 9, "The half of news that has no part in the choice has 4 clusters"), (8, 0, "has 4 items, and 5 at least")],
)
def test_a_half_of_few_tells_nothing(asked, items, clusters, told):
    answer, _ = asked(items, clusters)
    assert (answer.state, answer.answer) == ("TOO FEW", None)
    assert told in answer.told


def test_a_general_set_of_few_clusters_makes_no_picture(asked):
    assert asked(400, 4)[1] is None


def test_a_blend_and_the_systems_beside_it_lose_on_the_same_items(asked):
    _, shown = asked(400)
    tuned, blend = shown.choices
    lost = scored("tuned", "news", 0.3, 400).values - scored("base", "news", 0.0, 400).values
    assert blend.chosen
    assert tuned.loss.value == pytest.approx(float(lost[1::2].mean()))
    assert tuned.loss.value != pytest.approx(float(lost.mean()), abs=1e-6)
