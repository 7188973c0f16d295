"""Which weights move and how far: replay, anchor, early stopping, frozen layers; and what only looks."""

from pathlib import Path

import pytest
import torch
import tunable
from folders import llama
from torch.nn.functional import kl_div, log_softmax

from seqwise.checkpoints import hub
from seqwise.checkpoints.run import RunFolder
from seqwise.errors import ConfigError, DataError
from seqwise.models.attention import MultiHeadAttention
from seqwise.models.dropout import Dropout
from seqwise.tasks.pretrained import open_pretrained
from seqwise.tasks.tuning.bases import open_base, prepare
from seqwise.tasks.tuning.stored import open_tuned, read_facts
from seqwise.training.events import Evaluated, Noted, Stepped
from seqwise.training.journal import read
from seqwise.verbs.predict import predict
from seqwise.verbs.tune import tune


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guards")
    for name in ("bert", "labels", "llama"):
        (folder / name).mkdir()
    tunable.bert(folder / "bert")
    tunable.bert(folder / "labels", "BertForSequenceClassification", num_labels=2, id2label={0: "bad", 1: "good"})
    llama(folder / "llama")
    tunable.labelled(folder / "train.tsv", 80, 1)
    tunable.labelled(folder / "general.tsv", 24, 3)
    tunable.labelled(folder / "other.tsv", 24, 4, {"fine": ("love",), "awful": ("mat",)})
    tunable.instructions(folder / "train.jsonl", 40, 1)
    return folder


def labels(place, out, **sections):
    return tunable.settings(
        place / "labels",
        out,
        **{"task": "classify", "method": "full", "train": (str(place / "train.tsv"),), **sections},
    )


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_the_share_that_was_replayed_is_told(place, tmp_path, share):
    guard = {"replay": (str(place / "general.tsv"),), "replay_share": share}
    run = tune(labels(place, tmp_path, guard=guard, examples={"batch": 4}))
    (note,) = [e for e in read(Path(run.out) / "journal.jsonl") if isinstance(e, Noted) and e.name == "replay"]
    examples, replayed = note.values["examples"], note.values["replayed"]
    assert examples == 2 * 72
    assert note.values["share"] == pytest.approx(replayed / (examples + replayed))
    assert note.values["share"] == pytest.approx(share, abs=0.02)


def test_a_label_that_only_the_replayed_examples_have_is_refused(place, tmp_path):
    with pytest.raises(DataError, match=r"the label 'fine' in the replayed examples.*bad, good"):
        tune(labels(place, tmp_path, guard={"replay": (str(place / "other.tsv"),)}))
    assert not (tmp_path / "run").exists()


def distance(place, run):
    """KL(base || tuned) of the labels of unseen texts."""
    texts = [line.split("\t")[0] for line in (place / "general.tsv").read_text().splitlines()[1:]]
    base, tuned = open_pretrained(str(place / "labels"), None, "cpu", "fp32"), open_tuned(run, "cpu", "fp32")
    total = 0.0
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([base.words.source.framed([text])[0].ids])
            one, other = (log_softmax(m.model(ids, torch.tensor([ids.shape[1]])), -1) for m in (base, tuned))
            total += float(kl_div(other, one, reduction="sum", log_target=True))
    return total / len(texts)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_an_anchor_keeps_the_answers_nearer_to_the_bases(place, tmp_path, method):
    far = {}
    for anchor in (0.0, 5.0):
        sections = {"method": method, "guard": {"anchor": anchor}, "evaluation": {"first": False, "every": 1000}}
        sections |= {"optimizer": {"rate": 1e-3}, "training": {"epochs": 6}}
        run = tune(labels(place, tmp_path / f"{anchor}", **sections))
        far[anchor] = distance(place, run.out)
    assert far[5.0] < 0.3 * far[0.0]


def test_an_anchor_to_a_head_that_knows_nothing_is_refused(place, tmp_path):
    with pytest.raises(ConfigError, match="not trained yet"):
        tune(tunable.changed(labels(place, tmp_path), base=str(place / "bert"), guard={"anchor": 1.0}))


def test_the_run_stops_early_and_its_best_weights_are_what_is_kept(place, tmp_path):
    evaluation = {"every": 1, "patience": 3, "metric": "loss", "first": False}
    pace = {"optimizer": {"rate": 0.02}, "training": {"epochs": 20}}
    run = tune(labels(place, tmp_path, evaluation=evaluation, **pace))
    assert run.finished.reason == "patience"
    assert run.finished.step == run.finished.best_step + 3
    assert RunFolder.open(run.out).load_model_metadata()["step"] == str(run.finished.best_step)
    tuned = run.outcome.systems[-1].scores  # on the validation examples, as each look
    assert tuned == {name: pytest.approx(run.finished.best[name]) for name in tuned}
    assert "flatter" in run.outcome.told


def test_examples_that_teach_the_wrong_thing_leave_the_base_as_it_was(place, tmp_path):
    """Labels that are the base's own, and their opposite to learn from: the look before the first step stays best."""
    opposite = {"bad": "good", "good": "bad"}
    texts = [line.split("\t")[0] for line in (place / "train.tsv").read_text().splitlines()[1:]]
    found = [predict(str(place / "labels"), text, top=1).split("\t")[0] for text in texts[:40]]
    rows = list(zip(texts, found, strict=False))
    learnt = [(text, opposite[label]) for text, label in rows[20:]] + rows[20:22]
    for name, some in (
        ("train", [*learnt, ("you love the mat", "bad"), ("how are you", "good")]),
        ("valid", rows[:20]),
    ):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in some))
    files = {part: (str(tmp_path / f"{part}.tsv"),) for part in ("train", "valid")}
    run = tune(labels(place, tmp_path, **files))
    assert run.finished.best_step == 0
    base, *_, tuned = run.outcome.systems
    assert base.scores["accuracy"] == 100
    assert tuned.scores == {name: pytest.approx(value) for name, value in base.scores.items()}
    assert run.outcome.differences[0].better == "cannot tell"


def moved(place, run):
    """Name -> how far a weight has moved from the base, of those that were stored."""
    base = dict(hub.load(hub.open_checkpoint(place / "labels"), torch.float32).named_parameters())
    stored = RunFolder.open(run.out).load_model()
    return {name: float((weight - base[name].detach()).abs().max()) for name, weight in stored.items()}


PACE = {"rate": 1e-3, "warmup": 0.0, "weight_decay": 0.0, "schedule": "constant"}
ONE_STEP = {"training": {"steps": 1, "epochs": None, "clip": 0.0}, "optimizer": PACE}
LAST = {"evaluation": {"first": False, "metric": "loss"}}


def test_frozen_weights_are_not_stored_and_come_from_the_base(place, tmp_path):
    run = tune(labels(place, tmp_path, moving={"freeze": ("embed", "layers.0")}, **LAST))
    names = set(moved(place, run))
    assert names
    assert not any(".embed." in name or ".layers.0." in name for name in names)
    assert not read_facts(RunFolder.open(run.out)).complete
    weights = dict(open_tuned(run.out, "cpu", "fp32").model.named_parameters())
    base = dict(hub.load(hub.open_checkpoint(place / "labels"), torch.float32).named_parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in base.items() if name not in names)
    assert predict(run.out, "you love food").startswith(("bad", "good"))


def test_the_rate_falls_from_layer_to_layer(place, tmp_path):
    """Adam's first step is as long as the rate for each weight, so the steps tell the rates."""
    run = tune(labels(place, tmp_path, moving={"layer_decay": 0.5}, **ONE_STEP, **LAST))
    steps = moved(place, run)
    rate = 1e-3 * 0.5 ** torch.arange(4)
    for part, depth in (("head.out.weight", 0), ("layers.1.", 1), ("layers.0.", 2), ("embed", 3)):
        longest = max(step for name, step in steps.items() if part in name)
        assert longest == pytest.approx(float(rate[depth]), rel=0.02)


def test_layers_join_from_the_head_down(place, tmp_path):
    run = tune(labels(place, tmp_path, moving={"unfreeze": 1.0}, **ONE_STEP, **LAST))
    assert {name.split(".")[0] for name, step in moved(place, run).items() if step} == {"head"}
    assert read_facts(RunFolder.open(run.out)).complete


def test_lora_plus_moves_one_side_faster(place, tmp_path):
    run = tune(labels(place, tmp_path, method="lora", moving={"lora_plus": 8.0}, **ONE_STEP, **LAST))
    stored = RunFolder.open(run.out).load_model()
    longest = max(float(w.abs().max()) for name, w in stored.items() if "lora_b" in name)  # from zero
    assert longest == pytest.approx(8e-3, rel=0.02)


def test_a_qlora_run_trains_after_it_was_looked_at(place, tmp_path):
    """The weights in four bits serve training and looks in turn; each look finds a lower loss."""
    pace = {"optimizer": {"rate": 2e-3}, "training": {"epochs": 6}}
    settings = labels(place, tmp_path, method="qlora", evaluation={"every": 6}, **pace)
    run = tune(settings)
    events = read(Path(run.out) / "journal.jsonl")
    looks = [event.scores["train_loss"] for event in events if isinstance(event, Evaluated)]
    assert looks[-1] < looks[len(looks) // 2] < looks[0]
    assert all(event.gradient_norm > 0 for event in events if isinstance(event, Stepped))


def test_a_rate_is_proposed_and_nothing_written(place, tmp_path):
    found = tune(labels(place, tmp_path, find_lr=True))
    assert 1e-8 < found.proposed < 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_learnt_is_shown_and_nothing_written(place, tmp_path):
    settings = tunable.settings(
        place / "llama", tmp_path, task="generate", train=(str(place / "train.jsonl"),), show_mask=2
    )
    shown = tune(settings)
    assert list(tmp_path.iterdir()) == []
    assert len(shown.examples) == 2
    for one in shown.examples:
        asked = "".join(text for text, trained in one.segments if not trained)
        learnt = "".join(text for text, trained in one.segments if trained)
        assert "Say it in French." in asked
        assert "<|assistant|>" in asked
        assert learnt.removesuffix("<|end|>").split()[0] in tunable.FRENCH
        assert learnt.endswith("<|end|>")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_base_and_result_answer_in_the_same_precision(tmp_path, method):
    """Weights that did not move give the same scores and the same outputs, in bf16 as well."""
    train = (tunable.pairs(tmp_path / "train.tsv", 60, 1),)
    sections = {"task": "translate", "method": method, "train": train, "training": {"precision": "bf16"}}
    steps = {"steps": 1, "epochs": None, "precision": "bf16"}  # the rate of a last step is 0
    run = tune(tunable.settings(tunable.own(tmp_path), tmp_path, **{**sections, "training": steps}))
    base, *_, tuned = run.outcome.systems
    assert tuned.scores == base.scores
    assert run.outcome.differences[0].value == 0


def test_the_base_answers_without_dropout(tmp_path):
    """A run of ours opens as a model that learns; what it answers before it is tuned must not be disturbed."""
    settings = tunable.settings(tunable.own(tmp_path), tmp_path, task="translate", train=("x",))
    base = open_base(settings)
    assert not base.model.training
    prepare(base, settings)
    assert not base.model.training


def test_another_dropout_than_the_base_was_trained_with_is_taken_where_asked_for(place, tmp_path):
    """Where layers add and at the embeddings; attention weights and the inside of feed-forwards keep theirs."""

    def rates(guard):
        base = open_base(labels(place, tmp_path, guard=guard))
        prepare(base, labels(place, tmp_path, guard=guard))
        found = [(type(part).__name__, m) for part in base.model.modules() for m in part.children()]
        return [(inside, m.rate) for inside, m in found if isinstance(m, Dropout)], [
            m.rate for m in base.model.modules() if isinstance(m, MultiHeadAttention)
        ]

    before, attention = rates({})
    after, same = rates({"base_dropout": 0.37})
    assert same == attention
    assert {rate for inside, rate in after if inside != "FeedForward"} == {0.37}
    assert [rate for inside, rate in after if inside == "FeedForward"] == [
        rate for inside, rate in before if inside == "FeedForward"
    ]
