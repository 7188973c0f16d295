"""The verbs of `seqwise`, called from Python with paths as people write them."""

import json
from pathlib import Path

import folders
import pytest

import seqwise
from seqwise.config.calling import callable_with_texts


def test_a_text_is_a_path_and_one_thing_is_a_tuple_of_it():
    def verb(model: str, place: Path, /, *more: Path, out: Path | None = None, test: tuple[str, ...] = (),
             scores: tuple[Path, ...] = (), count: int = 1):  # fmt: skip
        """What it was given."""
        return model, place, more, out, test, scores, count

    call = callable_with_texts(verb)
    told = call("m", "a", "b", Path("c"), out="d", test="e", scores=["f", Path("g")], count=2)
    assert told == ("m", Path("a"), (Path("b"), Path("c")), Path("d"), ("e",), (Path("f"), Path("g")), 2)
    assert call("m", Path("a")) == ("m", Path("a"), (), None, (), (), 1)
    assert call("m", "a", test=["e", "f"])[4] == ("e", "f")
    with pytest.raises(TypeError, match=r"verb\(\) missing 1 required positional argument: 'place'"):
        call("m")
    assert (call.__name__, call.__doc__) == ("verb", "What it was given.")


def test_verbs_take_texts_for_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders.llama(tmp_path / "llama", template=False)
    Path("in.txt").write_text("The cat\nsat\n")
    assert seqwise.predict("llama", input="in.txt", output="out.txt", max_length=2) is None
    assert len(Path("out.txt").read_text().splitlines()) == 2
    for name, said in (("a", "xxxx"), ("b", "xyxx")):
        rows = ({"id": i, "prediction": one, "reference": "x"} for i, one in enumerate(said))
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    seqwise.weigh("a.jsonl", "b.jsonl", out="weighed")
    assert Path("weighed/verdict.json").exists()
    seqwise.export("llama", to="hf", out="copy")
    assert seqwise.evaluate("copy", test="in.txt", scores="each.tsv").scores
    assert Path("each.tsv").exists()
    assert seqwise.runs(".") is not None
