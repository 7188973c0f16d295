"""The model card, read back by huggingface_hub, which the Hub's own pages are made with."""

import pytest
from huggingface_hub import ModelCard

from seqwise.errors import DataError
from seqwise.reports.card import About, card, slug

ABOUT = About(
    name="sentiment-lora", task="text-classification", base="distilbert-base-uncased", license="apache-2.0",
    languages=("en",), tags=("finance",), datasets={"SST-2": "stanfordnlp/sst2"},
)  # fmt: skip


@pytest.fixture(scope="module")
def read(verdict):
    return ModelCard(card(verdict, ABOUT), ignore_metadata_errors=False)


def test_the_hub_reads_the_front_matter(read):
    data = read.data
    assert (data.license, data.language, data.base_model) == ("apache-2.0", ["en"], "distilbert-base-uncased")
    assert data.tags == ["seqwise", "finance"]
    assert data.pipeline_tag == "text-classification"
    assert data.datasets == ["stanfordnlp/sst2"]
    assert data.model_name == "sentiment-lora"


def test_the_hub_reads_the_scores_of_each_set(read):
    found = [
        (one.task_type, one.dataset_name, one.dataset_type, one.metric_type, one.metric_name, one.metric_value)
        for one in read.data.eval_results
    ]
    assert found == [
        ("text-classification", "test", "test", "accuracy", "accuracy", 76.7),
        ("text-classification", "SST-2", "stanfordnlp/sst2", "accuracy", "accuracy", 90.6),
        ("text-classification", "wiki", "wiki", "loss", "loss", 3.31),
    ]
    assert all(one.verified is None for one in read.data.eval_results)  # the Hub's own word


def test_the_card_carries_the_verdict(read, verdict):
    assert "\n# sentiment-lora\n" in read.text
    assert f"**{verdict.sentence}**" in read.text


def test_names_with_signs_of_yaml_and_html_are_names(hostile):
    strange = 'a: "b" # {c} <script>'
    read = ModelCard(card(hostile, About(strange, "translation", tags=("---", "x: y"))))
    assert read.data.model_name == strange
    assert read.data.tags == ["seqwise", "---", "x: y"]
    assert "<script>alert" not in read.text


def test_what_was_not_told_is_not_guessed(empty):
    read = ModelCard(card(empty, About("m", "translation")))
    assert read.data.to_dict() == {"pipeline_tag": "translation", "tags": ["seqwise"]}


def test_a_system_that_was_not_weighed_has_no_card(verdict):
    with pytest.raises(DataError, match="one of LoRA, full"):
        card(verdict, About("m", "translation", system="QLoRA"))


def test_identifiers():
    assert [slug(name) for name in ("chrF", "F1 (macro)", "BLEU-4", "我")] == ["chrf", "f1_macro", "bleu_4", "unnamed"]
