"""ONNX Runtime (the oracle of the graph) answers as transformers (the oracle of the model) does, on padded texts."""

import builtins

import onnxruntime
import pytest
import tiny
import torch

from seqwise.checkpoints.export_onnx import to_onnx
from seqwise.errors import CheckpointError, MissingExtraError

CASES = ["bert-labels", "bert-bare", "roberta-mlm", "distilbert-tokens", "modernbert-labels", "gpt2-labels",
         "gemma2-labels", "qwen3-labels"]  # fmt: skip


def answers(folder, feed):
    """What the graph says, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    assert [one.name for one in session.get_inputs()] == list(feed)
    assert all(one.shape == ["batch", "length"] for one in session.get_inputs())
    (found,) = session.run(None, {name: ids.numpy() for name, ids in feed.items()})
    return session.get_outputs()[0].name, torch.from_numpy(found)


@pytest.mark.parametrize("case", CASES)
def test_the_graph_answers_as_transformers(case, tmp_path):
    """Batches and lengths that were not traced: 1 x 3, 3 x 12 and 2 x 30."""
    one = tiny.pair(case, tmp_path / "one")
    folder = tmp_path / "graph"
    folder.mkdir()
    names = to_onnx(one.ours, folder)
    for lengths in ((3,), (9, 4, 12), (30, 17)):
        given = tiny.reading(one, lengths=lengths)
        kinds = (torch.arange(given.ids.shape[1]) >= given.lengths[:, None] // 2).long().expand_as(given.ids)
        several = one.checkpoint.config.get("type_vocab_size", 0) > 1  # with one kind of text tokenizers tell none
        assert len(names) == 2 + several
        further = {"token_type_ids": kinds} if several else {}
        name, found = answers(folder, {"input_ids": given.ids, "attention_mask": given.real.long(), **further})
        with torch.no_grad():
            expected = tiny.their_logits(one.theirs, given, **further)
        found = found[given.real] if found.ndim == 3 else found
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
        assert name == ("last_hidden_state" if case.endswith("bare") else "logits")


def test_what_writes_is_sent_elsewhere(tmp_path):
    for case in ("llama", "t5"):
        one = tiny.pair(case, tmp_path / case)
        with pytest.raises(CheckpointError, match="--to ctranslate2"):
            to_onnx(one.ours, tmp_path)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    one = tiny.pair("bert-bare", tmp_path / "one")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[onnx\]'"):
        to_onnx(one.ours, tmp_path)
