"""demo: all of its way on a tiny corpus and a model of a few steps, and what it says at the end."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from seqwise.config import check
from seqwise.data.phrasebook import Part, phrasebook
from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Generation
from seqwise.errors import CheckpointError
from seqwise.metrics.text import bleu
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.tasks import demonstration
from seqwise.verbs import demo as demo_module
from seqwise.verbs.demo import Demonstrated, _scored, _Translated, _weighed, demo
from seqwise.verbs.runs import runs


def small(settings):
    """A few steps of the same, written by greedy search that ends soon."""
    found = replace(settings, generation=Generation(beams=1, max_length=8))
    few = replace(settings.training, epochs=None, steps=3, batch_tokens=300, time_limit=600.0)
    return replace(found, training=few)


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What the demo returned and printed, and its folder."""
    folder, out = tmp_path_factory.mktemp("demo"), StringIO()
    with pytest.MonkeyPatch.context() as patch:
        model = TransformerSettings(width=16, layers=1, heads=2, feed_forward=FeedForwardSettings(width=32))
        patch.setattr(demo_module, "office_domain", lambda seed: phrasebook(seed + 1, 400))
        patch.setattr(demo_module, "phrasebook", lambda seed: phrasebook(seed, 400))
        patch.setattr(demo_module, "Console", lambda **_: Console(file=out, width=80))
        patch.setattr(
            demo_module,
            "settings",
            lambda *given: replace(
                small(demonstration.settings(*given)), model=model, tokens=TokenSettings(kind="words", size=300)
            ),
        )
        patch.setattr(demo_module, "tuning", lambda *given: small(demonstration.tuning(*given)))
        found = demo(out=folder / "demo")
    return found, out.getvalue(), folder


def test_the_demo_goes_all_the_way(shown):
    found, printed, folder = shown
    for step in range(1, 7):
        assert f"\n{step}. " in f"\n{printed}"
    assert {path.name for path in folder.iterdir()} == {"demo", "demo-office", "demo-data"}
    assert {one.question for one in found.verdict.findings} == {"gain", "generalization"}


def test_its_result_opens_with_the_verdict(shown):
    found, _, folder = shown
    out = StringIO()
    Console(file=out, width=80).print(found)
    assert " ".join(out.getvalue().split()).startswith(found.verdict.sentence)
    told = json.loads((folder / "demo-office/verdict.json").read_text())
    assert told["sentence"] == found.verdict.sentence
    assert {run.name: run.verdict for run in runs(folder).runs}["demo-office"] == found.verdict.sentence


def test_a_second_demo_replaces_the_first_or_refuses(shown):
    found, _, folder = shown
    assert isinstance(found, Demonstrated)
    with pytest.raises(CheckpointError, match="has content"):
        demo(out=folder / "demo", overwrite=False)


def test_the_settings_of_the_demo_contradict_nothing(tmp_path):
    files = {part: (str(tmp_path / f"{part}.en"), str(tmp_path / f"{part}.fr")) for part in ("train", "valid", "test")}
    check(demonstration.settings(files, tmp_path / "a", True, 1))
    check(demonstration.tuning(tmp_path / "a", files, files, tmp_path / "b", True, 1))


def test_gain_and_loss_are_those_of_sacrebleu(tmp_path):
    """A tuned model that is right at the office and has lost each third general sentence."""
    pairs = Part([f"a {i} b" for i in range(90)], [f"un {i} deux trois quatre" + " dix" * (i % 4) for i in range(90)])
    wrong = [f"un {i} deux trois six" + " vingt" * (i % 5) for i in range(90)]
    mixed = [wrong[i] if i % 3 == 0 else pairs.targets[i] for i in range(90)]
    made = {name: _scored("s", "p", outputs, pairs, 1) for name, outputs in (("wrong", wrong), ("mixed", mixed))}
    for name, outputs in (("wrong", wrong), ("mixed", mixed)):
        assert made[name].value == pytest.approx(bleu(outputs, pairs.targets).value)

    def both(system, office, general):
        return _Translated(_scored(system, "office", office, pairs, 1), _scored(system, "general", general, pairs, 1))

    right = list(pairs.targets)
    found = _weighed(both("base", wrong, right), both("tuned", right, mixed), tmp_path / "a", tmp_path / "b")
    gained, lost = found.findings
    assert (gained.answer, lost.answer, found.worth, found.not_worse) == ("yes", "yes", "at a price", False)
    assert gained.test.effect.value == pytest.approx(100 - bleu(wrong, right).value)
    assert lost.test.effect.value == pytest.approx(bleu(mixed, right).value - 100)
    other = [wrong[i] if i % 3 == 1 else right[i] for i in range(90)]  # as many won as lost
    open_ = _weighed(both("base", wrong, mixed), both("tuned", right, other), tmp_path / "a", tmp_path / "b")
    assert (open_.findings[1].answer, open_.worth, open_.not_worse) == ("cannot tell", "cannot tell", None)
