import csv

import pytest
import sacrebleu

from seqwise.errors import ConfigError, DataError
from seqwise.verbs.evaluate import evaluate


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
    assert [round(one.score.chrf, 2) for one in result.worst] == pytest.approx(worst, abs=0.01)


def test_the_default_file_lies_in_the_run_folder(trained):
    result = evaluate(trained / "run", test=(str(trained / "test.en"), str(trained / "test.fr")))
    assert result.notes == (f"each sentence: {trained / 'run' / 'test-scores.tsv'}",)


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
