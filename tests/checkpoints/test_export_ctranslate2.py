"""CTranslate2 writes what transformers (the oracle) writes: the engine in fp32 on CPU, greedy, the very same ids."""

import builtins
from dataclasses import replace

import ctranslate2
import numpy as np
import pytest
import tiny
import torch

from seqwise.checkpoints.export_ctranslate2 import Words, named, to_ctranslate2
from seqwise.data.settings import TokenSettings
from seqwise.data.tokens import train_tokenizers
from seqwise.errors import CheckpointError, MissingExtraError

WRITERS = [
    "gpt2",
    "gpt2-untied",
    "llama",
    "llama-tied",
    "llama3",
    "llama-linear",
    "mistral-wide",
    "phi3-wide",
    "qwen2",
    "qwen3-bias",
]
WINDOWED = ["mistral", "phi3", "qwen2-window", "gemma3", "gemma3-linear"]
TRANSLATORS = ["t5", "t5-1.1", "mt5", "bart-scaled", "mbart", "marian", "marian-separate", "m2m"]


def words(one):
    """A name for each row."""
    source, target = one.checkpoint.sizes
    config = one.checkpoint.config
    told = {
        "unk_token": "w3",
        "bos_token": f"w{config.get('bos_token_id') or 0}",
        "eos_token": f"w{config['eos_token_id']}",
    }
    if one.reads_and_writes:
        told["decoder_start_token"] = f"w{config['decoder_start_token_id']}"
    return Words(tuple(f"w{i}" for i in range(source)), tuple(f"w{i}" for i in range(target or source)), told)


def made(one, folder, dtype=torch.float32, **more):
    """The engine with the model in it, and what the user is told."""
    folder.mkdir()
    notes = to_ctranslate2(one.ours, replace(words(one), **more), folder, dtype)
    kind = ctranslate2.Translator if one.reads_and_writes else ctranslate2.Generator
    return kind(str(folder), compute_type="float32" if dtype == torch.float32 else "default", intra_threads=1), notes


def spelled(ids):
    return [f"w{i}" for i in ids]


def continued(engine, prompt, room=tiny.ROOM):
    """What a decoder writes behind a prompt."""
    found = engine.generate_batch([spelled(prompt)], beam_size=1, max_length=room, include_prompt_in_result=False)
    return found[0].sequences_ids[0]


def translated(engine, one, prompts):
    """What an encoder-decoder writes, all texts in one batch."""
    forced = one.checkpoint.config.get("forced_bos_token_id")
    prefix = None if forced is None else [spelled([forced])] * len(prompts)
    found = engine.translate_batch(
        [spelled(ids) for ids in prompts],
        beam_size=1,
        min_decoding_length=0,
        max_decoding_length=tiny.ROOM,
        target_prefix=prefix,
    )
    return [[int(word[1:]) for word in result.hypotheses[0]] for result in found]


@pytest.mark.parametrize("case", WRITERS)
def test_decoders_write_and_score_the_same(case, tmp_path):
    one = tiny.pair(case, tmp_path / "one")
    engine, notes = made(one, tmp_path / "engine")
    assert notes == ()
    assert [continued(engine, prompt) for prompt in tiny.PROMPTS] == tiny.their_ids(one, tiny.PROMPTS)
    ids = tiny.PROMPTS[2]
    with torch.no_grad():
        expected = one.theirs(torch.tensor([ids])).logits
    found = torch.from_numpy(np.array(engine.forward_batch([spelled(ids)])))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("case", WINDOWED)
def test_windows_are_minded_while_writing(case, tmp_path):
    """Twelve tokens behind a prompt shorter than the window, which is four or five; longer ones are warned of."""
    one = tiny.pair(case, tmp_path / "one")
    engine, (note,) = made(one, tmp_path / "engine")
    window = one.checkpoint.config["sliding_window"]
    assert f"up to {window} tokens" in note
    prompts = [prompt for prompt in tiny.PROMPTS if len(prompt) <= window]
    assert len(prompts) == 2
    assert [continued(engine, prompt) for prompt in prompts] == tiny.their_ids(one, prompts)


@pytest.mark.parametrize("case", TRANSLATORS)
def test_encoder_decoders_translate_the_same(case, tmp_path):
    """But for the end that BART and Marian force where no room is left, which the engine does not."""
    one = tiny.pair(case, tmp_path / "one")
    engine, _ = made(one, tmp_path / "engine")
    last = tiny.ROOM - (one.checkpoint.config.get("forced_eos_token_id") is not None)
    found = [ids[:last] for ids in translated(engine, one, tiny.PROMPTS)]
    assert found == [ids[:last] for ids in tiny.their_ids(one, tiny.PROMPTS)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int8])
def test_smaller_numbers_make_smaller_files(dtype, tmp_path):
    one = tiny.pair("llama", tmp_path / "one")
    made(one, tmp_path / "full")
    engine, _ = made(one, tmp_path / "small", dtype)
    full, small = ((tmp_path / name / "model.bin").stat().st_size for name in ("full", "small"))
    assert small < 0.75 * full
    assert len(continued(engine, tiny.PROMPTS[0])) > 0


def test_what_is_never_written_is_never_written(tmp_path):
    one = tiny.pair("gpt2", tmp_path / "one")
    plain, _ = made(one, tmp_path / "plain")
    wanted = continued(plain, tiny.PROMPTS[0])
    engine, _ = made(one, tmp_path / "engine", never=tuple(set(wanted)))
    assert not set(wanted) & set(continued(engine, tiny.PROMPTS[0]))


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("gemma2", "attention.softcap 2"),
        ("llama-yarn", "positions.rotation yarn"),
        ("llama-dynamic", "positions.rotation dynamic"),
        ("bert-labels", "nothing that writes"),
    ],
)
def test_what_the_engine_cannot_compute_is_refused(case, why, tmp_path):
    one = tiny.pair(case, tmp_path / "one")
    with pytest.raises(CheckpointError, match=why):
        to_ctranslate2(one.ours, Words((), (), {}), tmp_path, torch.float32)


def test_each_row_has_a_name_of_its_own():
    tokenizer = train_tokenizers(["one two three"], ["un deux trois"], TokenSettings(kind="bpe", size=300)).source
    names = named(tokenizer, tokenizer.size + 3)
    assert len(set(names)) == tokenizer.size + 3
    assert names[:4] == ("<pad>", "<unk>", "<s>", "</s>")
    assert all(tokenizer.vocabulary()[name] == token for token, name in enumerate(names[: tokenizer.size]))


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    one = tiny.pair("gpt2", tmp_path / "one")
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("ctranslate2"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[ctranslate2\]'"):
        to_ctranslate2(one.ours, Words((), (), {}), tmp_path, torch.float32)
