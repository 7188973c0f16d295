import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import sacrebleu
from rich.console import Console
from rouge_score.rouge_scorer import RougeScorer

from seqwise.data.text import TextSettings, read_pairs
from seqwise.errors import ConfigError, DataError
from seqwise.tasks.judging import judge_predictions
from seqwise.verbs.evaluate import Evaluation, evaluate


def test_scores_are_sacrebleus_and_each_sentence_has_its_own(trained, tmp_path):
    """Oracle: sacrebleu on the outputs that the file tells."""
    place = tmp_path / "scores.tsv"
    result = evaluate(trained / "run", test=(str(trained / "test.en"), str(trained / "test.fr")), scores=place, worst=3)
    with place.open() as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    assert len(rows) == 25
    outputs, references = [row["output"] for row in rows], [row["reference"] for row in rows]
    bleu, chrf = result.scores
    assert bleu.value == pytest.approx(sacrebleu.corpus_bleu(outputs, [references]).score)
    assert chrf.value == pytest.approx(sacrebleu.corpus_chrf(outputs, [references]).score)
    assert bleu.value > 90
    assert bleu.interval[0] <= bleu.value <= bleu.interval[1]
    assert "nrefs:1" in bleu.signature
    worst = sorted(float(row["chrf"]) for row in rows)[:3]
    assert [float(one["chrf"]) for one in result.worst] == worst


def test_the_default_file_lies_in_the_run_folder(trained):
    result = evaluate(trained / "run", test=(str(trained / "test.en"), str(trained / "test.fr")))
    assert result.notes == (f"each item: {trained / 'run' / 'test-scores.tsv'}",)


def test_references_that_the_model_cannot_write_are_told(trained, tmp_path):
    """Full-width letters are normalized away in training: the output is right, and equals no such reference."""
    table = tmp_path / "test.tsv"
    table.write_text("source\ttarget\none two three four\tun deux trois quatre\none two\tｕｎ ｄｅｕｘ\n")
    result = evaluate(trained / "run", test=(str(table),), scores=tmp_path / "scores.tsv")
    assert "1 of 2 references cannot be written as they stand, the first 'ｕｎ ｄｅｕｘ'" in "".join(result.notes)
    table.write_text("source\ttarget\none two three four\tun deux trois quatre\n")
    assert len(evaluate(trained / "run", test=(str(table),), scores=tmp_path / "scores.tsv").notes) == 1


def test_the_file_of_scores_is_read_back_as_it_was_written(trained, tmp_path):
    """The reader of the user's TSV files is the oracle: a quote is a letter there, and a line feed ends the row."""
    table, place = tmp_path / "test.jsonl", tmp_path / "scores.tsv"
    rows = [("one", '"un" deux'), ("two", "un\tdeux\ntrois\r"), ("three", '"')]
    table.write_text("".join(json.dumps({"source": a, "target": b}) + "\n" for a, b in rows))
    evaluate(trained / "run", test=(str(table),), scores=place)
    found = read_pairs([place], TextSettings(source="source", target="reference"))
    assert found.sources == ("one", "two", "three")
    assert found.targets == ('"un" deux', r"un\tdeux\ntrois", '"')


@pytest.mark.parametrize("link", [False, True])
def test_no_file_that_is_read_is_written_over(trained, tmp_path, link):
    table = tmp_path / "test.tsv"
    table.write_text("source\ttarget\none\tun\n")
    place = tmp_path / "other.tsv" if link else table
    if link:
        place.hardlink_to(table)
    with pytest.raises(ConfigError, match=r"--scores .*\.tsv, which is read: needs another file. Try --scores"):
        evaluate(trained / "run", test=(str(table),), scores=place)
    assert table.read_text() == "source\ttarget\none\tun\n"
    usual = trained / "run" / "test-scores.tsv"
    evaluate(trained / "run", test=(str(table),))
    with pytest.raises(ConfigError, match=r"test-scores\.tsv, which is read"):
        evaluate(trained / "run", test=(str(usual),), target="reference")


def test_scores_are_not_written_under_the_name_of_a_packed_file(trained, tmp_path):
    (tmp_path / "test.tsv").write_text("source\ttarget\none\tun\n")
    with pytest.raises(ConfigError, match=r"--scores .*s.tsv.gz: needs a name of plain text.* Try --scores .*s.tsv\.$"):
        evaluate(trained / "run", test=(str(tmp_path / "test.tsv"),), scores=tmp_path / "s.tsv.gz")


def test_no_test_files_is_a_fault_with_a_mend(trained):
    with pytest.raises(ConfigError, match=r"--test test\.en test\.fr"):
        evaluate(trained / "run")


def test_unequal_files_are_refused(trained):
    with pytest.raises(DataError, match="25"):
        evaluate(trained / "run", test=(str(trained / "test.en"), str(trained / "train.fr")))


def test_test_files_may_be_of_another_make_than_the_training_files(trained, tmp_path):
    sources, targets = ((trained / f"test.{side}").read_text().splitlines() for side in ("en", "fr"))
    table = tmp_path / "test.data"
    table.write_text("".join(f"{b}\té{a}\n" for a, b in zip(sources, targets, strict=True)), encoding="latin-1")
    given = {"test": (str(table),), "scores": tmp_path / "scores.tsv"}
    with pytest.raises(DataError, match=r"one plain file.* Try --format tsv"):
        evaluate(trained / "run", **given, encoding="latin-1")
    table.write_text("fr\ten\n" + table.read_text("latin-1").replace("é", ""), encoding="latin-1")
    result = evaluate(trained / "run", **given, format="tsv", encoding="latin-1", source="en", target="fr")
    assert result.scores[0].value > 90


def test_rows_that_are_left_out_and_columns_that_are_assumed_are_told(trained, tmp_path):
    sources, targets = ((trained / f"test.{side}").read_text().splitlines() for side in ("en", "fr"))
    table = tmp_path / "test.tsv"
    table.write_text("".join(f"{a}\t{b}\n" for a, b in zip(sources, targets, strict=True)) + "un\n")
    given = {"test": (str(table),), "format": "auto", "on_bad_row": "skip", "scores": tmp_path / "scores.tsv"}
    skipped, columns = evaluate(trained / "run", **given).notes[1:][::-1]
    assert columns.startswith(f"{table}: columns 1 and 2 of 2, without a header: ")
    assert skipped.startswith(f"{table}: 1 bad row skipped, the first: {table}:26: 1 column")


def test_rouge_is_rouge_scores_and_several_references_count_by_their_best(trained, tmp_path):
    """Oracle: rouge-score on the outputs that the file tells."""
    sources, targets = ((trained / f"test.{side}").read_text().splitlines() for side in ("en", "fr"))
    rows = [{"source": a, "target": ["zut", b, "un deux"]} for a, b in zip(sources, targets, strict=True)]
    table, place = tmp_path / "test.jsonl", tmp_path / "scores.tsv"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"test": (str(table),), "scores": place, "format": "jsonl", "source": "source", "target": "target"}
    result = evaluate(trained / "run", **given, rouge=True)
    with place.open() as file:
        told = list(csv.DictReader(file, dialect="excel-tab"))
    assert [row["source"] for row in told] == sources
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    each = [scorer.score_multi(row["target"], one["output"]) for row, one in zip(rows, told, strict=True)]
    expected = [100 * sum(one[kind].fmeasure for one in each) / 25 for kind in ("rouge1", "rouge2", "rougeL")]
    assert [score.value for score in result.scores] == pytest.approx(expected)
    assert [score.name for score in result.scores] == ["ROUGE-1", "ROUGE-2", "ROUGE-L"]
    assert "nrefs:3" in result.scores[0].signature
    assert list(result.worst[0])[:2] == ["item", "rougeL"]
    again = evaluate(trained / "run", **given)
    assert "nrefs:3" in again.scores[0].signature
    assert again.scores[0].value > 90


def test_what_rouge_does_not_know_is_refused(trained):
    files = str(trained / "test.en"), str(trained / "test.fr")
    with pytest.raises(ConfigError, match="--tokenize none with --rouge"):
        evaluate(trained / "run", test=files, rouge=True, tokenize="none")
    with pytest.raises(ConfigError, match="--lowercase with --rouge"):
        evaluate(trained / "run", test=files, rouge=True, lowercase=True)


def test_the_terminal_shows_a_line_of_each_detail_and_tables_where_asked():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(60, 3))
    judged = judge_predictions(logits, rng.integers(0, 3, 60), ["red", "[b]lue", "gr\x1b[31meen"], ["text"] * 60, 20)
    found = Evaluation(judged.scores, (), ("each item: x",), judged.details)
    assert shown(found).count("most confused") == 1
    assert "true in rows" not in shown(found)
    full = shown(replace(found, tables=True))
    for title in ("each class", "true in rows", "reliability", "accuracy against coverage", "[b]lue"):
        assert title in full
    assert "\x1b" not in full
    told = json.loads(json.dumps(found.to_dict()))
    assert sum(map(sum, told["confusion"]["counts"])) == 60
    assert {"confusion", "calibration", "coverage"} <= told.keys()


def shown(thing):
    """As a terminal without colours has it."""
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(thing)
    return console.export_text()
