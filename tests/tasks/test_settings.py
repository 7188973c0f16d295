import re
from dataclasses import replace

import pytest

from seqwise.config import check
from seqwise.data.text import TextSettings
from seqwise.data.tokens import TokenSettings
from seqwise.decoding import Drafting, Generation
from seqwise.errors import ConfigError
from seqwise.models.architecture import TransformerSettings
from seqwise.models.embeddings import EmbeddingSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.tasks.settings import ClassifySettings, GenerateSettings, Train, fitted
from seqwise.tasks.tuning.settings import Tune
from seqwise.training.loop import EvaluationSettings


def test_translation_is_left_as_it_is():
    assert fitted(Train()) == Train()


@pytest.mark.parametrize("task", ["summarize", "classify", "generate"])
def test_what_was_left_alone_becomes_what_the_task_needs(task):
    made = fitted(Train(task=task))
    check(made)
    assert made.out == f"runs/{task}"
    assert fitted(made) == made


def test_what_was_chosen_stays():
    chosen = Train(
        task="generate",
        out="elsewhere",
        generation=Generation(beams=2, temperature=1.3),
        data=TextSettings(max_length=77),
    )
    made = fitted(chosen)
    assert (made.out, made.data, made.generation) == (chosen.out, chosen.data, chosen.generation)
    assert fitted(Train(task="summarize", data=TextSettings(max_length=77))).data.max_length == 77
    assert fitted(Train(task="summarize")).data.max_ratio is None


def test_an_lstm_has_no_shape_to_fit():
    assert fitted(Train(task="classify", model=LSTMSettings())).model == LSTMSettings()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (Train(task="classify", model=TransformerSettings(shape="decoder")), "--model.shape encoder"),
        (Train(task="generate", model=TransformerSettings(shape="encoder")), "--model.shape decoder"),
        (Train(model=TransformerSettings(shape="decoder")), "--model.shape encoder-decoder"),
        (Train(task="generate", model=LSTMSettings()), "--model.kind transformer"),
        (Train(task="generate", test=("t",), generate=GenerateSettings(unit="file")), "--test with --generate.unit"),
        (Train(task="classify", evaluation=EvaluationSettings(metric="bleu")), "accuracy, macro_f1"),
        (Train(task="generate", tokens=TokenSettings(dropout=0.1)), "it for pairs only"),
        (Train(task="classify", tokens=TokenSettings(source_file="a", target_file="b")), "--tokens.source-file"),
        (
            Train(task="classify", model=TransformerSettings(embeddings=EmbeddingSettings(target_vectors="v"))),
            "--model.embeddings.source-vectors",
        ),
        (Train(generation=Generation(beams=1, drafting=Drafting("int8"))), "--generation.drafting.by none"),
        (Train(task="classify", classify=ClassifySettings(pool="max")), "--classify.pool mean"),
        (Train(task="classify", model=LSTMSettings(), classify=ClassifySettings(pool="first")), "--classify.pool last"),
    ],
)
def test_what_does_not_go_with_the_task_is_refused(settings, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        check(settings)


@pytest.mark.parametrize(("task", "metric"), [("generate", "bleu"), ("classify", "rougeL"), ("translate", "accuracy")])
def test_a_metric_that_no_look_would_tell_is_refused(task, metric):
    """As it would be passed over, and the loss go by, without a word."""
    given = {"task": task, "train": ("t",), "evaluation": EvaluationSettings(metric=metric)}
    for settings in (Train(**given), Tune(base="b", **given)):
        with pytest.raises(ConfigError, match=f"--evaluation.metric {metric} with --task {task}"):
            check(settings)
    check(Tune(base="b", **given | {"evaluation": EvaluationSettings(metric="loss")}))


def test_a_pool_that_a_model_has_is_none_of_these_faults():
    check(Train(task="classify", model=LSTMSettings(), classify=ClassifySettings(pool="max")))
    check(replace(Train(task="classify"), classify=ClassifySettings(pool="first")))


@pytest.mark.parametrize(
    ("task", "columns", "told"),
    [
        ("translate", {"text": "said"}, "--data.text said with --task translate: needs --data.source."),
        ("summarize", {"label": "gist"}, "--data.label gist with --task summarize: needs --data.target."),
        ("classify", {"source": "said"}, "--data.source said with --task classify: needs --data.text"),
    ],
)
def test_columns_of_another_task_are_refused(task, columns, told):
    """Else the first two columns would be learnt without a word, such as numbers of rows."""
    with pytest.raises(ConfigError, match=re.escape(told)):
        check(fitted(Train(task=task, train=("a.tsv",), data=TextSettings(**columns))))
