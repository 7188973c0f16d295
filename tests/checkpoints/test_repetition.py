"""The repetition penalty, against transformers (the oracle) on tiny checkpoints; whole texts stand in the gate."""

import json
import shutil

import folders
import pytest
import tiny
import torch
import transformers

from seqwise.cli import main
from seqwise.decoding import Generation, Repetition, Specials
from seqwise.decoding.drafters import Lookup
from seqwise.decoding.drafting import Page, drafted
from seqwise.decoding.streaming import stream
from seqwise.errors import SeqwiseError
from seqwise.tasks.pretrained import generation, not_applied, open_pretrained
from seqwise.verbs.predict import predict

STRONG = Repetition(1.3)
CASES = ["gpt2", "t5"]
TEXT = "The cat sat on the mat. The cat"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Both sides of each case."""
    return {case: tiny.pair(case, tmp_path_factory.mktemp(case)) for case in CASES}


LOOP = [5, 6, 7, 5, 6, 8, 5]


@pytest.mark.parametrize("case", ["gpt2", "llama"])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("beams", [1, 3])
def test_what_a_prompt_has_is_not_written_again(tmp_path, case, size, beams):
    """Prompts that ask for a repeat, since they end as they begin and what follows stands between; `generate` is the
    oracle, one prompt at a time, while ours are of unlike lengths side by side."""
    one = tiny.pair(case, tmp_path)
    prompts = [LOOP, LOOP[:3]]
    prompts += [[*prompt, *ids, *prompt] for prompt, ids in zip(prompts, tiny.our_ids(one, prompts), strict=True)]
    expected = tiny.their_ids(one, prompts, num_beams=beams, no_repeat_ngram_size=size)
    assert tiny.our_ids(one, prompts, beams=beams, no_repeat=size) == expected
    assert expected != tiny.our_ids(one, prompts, beams=beams)
    if beams == 1:
        settings = Generation(beams=1, max_length=tiny.ROOM, no_repeat=size)
        steering = Specials(0, 2, 0, bounded=False)
        assert [list(stream(one.ours, prompt, settings, steering)) for prompt in prompts] == expected
        page = Page(prompts[2], tiny.ROOM, settings, steering, None, "cpu")
        with torch.inference_mode():
            drafted_ids = [token for settled in drafted(one.ours, Lookup(), page) for token in settled]
        assert [token for token in drafted_ids if token != 2] == expected[2]


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """A decoder whose generation_config.json asks for a penalty, as Qwen2.5's does; and the oracle."""
    folder = tmp_path_factory.mktemp("asking")
    model = folders.llama(folder, template=False)
    model.generation_config.repetition_penalty = 1.3
    model.generation_config.save_pretrained(folder)
    return folder, model


def continued(folder, model, **settings):
    """What `generate` adds to the text."""
    words = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    ids = torch.tensor([words(TEXT)["input_ids"]])
    found = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16, **settings)
    return " ".join(words.decode(found[0, ids.shape[1] :], skip_special_tokens=True).splitlines())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_penalty_changes_what_is_written_and_alone_or_together_a_prompt_is_answered_alike(made, case, beams):
    """Padding beside a shorter prompt is not what was there before."""
    one, settings = made[case], {"beams": beams, "repetition": STRONG}
    together = tiny.our_ids(one, tiny.PROMPTS, **settings)
    assert together == [tiny.our_ids(one, [prompt], **settings)[0] for prompt in tiny.PROMPTS]
    assert together != tiny.our_ids(one, tiny.PROMPTS, beams=beams)


@pytest.mark.parametrize("case", CASES)
def test_what_is_drawn_from_is_what_transformers_draws_from(made, case, monkeypatch):
    """The distribution of the third token, after two that `generate` is given: penalty, temperature, top-k, top-p."""
    one, drawn = made[case], []
    theirs = {"temperature": 0.7, "top_k": 9, "top_p": 0.8}

    def draw(probabilities, *_, **__):
        drawn.append(probabilities)
        return probabilities.argmax(1, keepdim=True)

    monkeypatch.setattr(torch, "multinomial", draw)
    tiny.our_ids(one, tiny.PROMPTS[:1], repetition=STRONG, max_length=3, beams=1, **theirs)
    ours, drawn[:] = list(drawn), []
    told = one.theirs.generate(
        torch.tensor(tiny.PROMPTS[:1]), do_sample=True, max_new_tokens=3, repetition_penalty=STRONG.penalty,
        output_scores=True, return_dict_in_generate=True, min_new_tokens=0, **theirs,
    )  # fmt: skip
    assert len(ours) == len(told.scores) == 3
    for mine, scores in zip(ours, told.scores, strict=True):
        torch.testing.assert_close(mine, scores.softmax(1))
        assert 1 < (mine > 0).sum() < 10


def test_a_stream_is_what_greedy_search_writes(made):
    one, prompt = made["gpt2"], tiny.PROMPTS[0]
    settings = Generation(beams=1, max_length=tiny.ROOM, repetition=STRONG)
    found = list(stream(one.ours, prompt, settings, Specials(0, 2, 0, bounded=False)))
    assert [found] == tiny.our_ids(one, [prompt], beams=1, repetition=STRONG)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_checkpoint_is_decoded_with_the_penalty_it_asks_for_and_a_flag_wins(asking, beams):
    """Prompt and output count; nothing is told of it any more."""
    folder, model = asking
    opened = open_pretrained(folder, None, "cpu", "fp32")
    assert generation(opened.checkpoint).repetition == STRONG
    assert list(not_applied(opened.checkpoint)) == []
    given = {"beams": beams, "max_length": 16, "precision": "fp32"}
    found = predict(str(folder), TEXT, **given)
    free = predict(str(folder), TEXT, repetition_penalty=1.0, **given)
    assert found == continued(folder, model, num_beams=beams)
    assert free == continued(folder, model, num_beams=beams, repetition_penalty=1.0)
    assert found != free


@pytest.mark.parametrize("wrong", [0, -1.2, "much", [1.1]])
def test_a_penalty_that_makes_no_sense_is_refused_in_one_line(asking, tmp_path, wrong, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(asking[0], copy)
    (copy / "generation_config.json").write_text(json.dumps({"repetition_penalty": wrong}))
    with pytest.raises(SeqwiseError, match=r"generation_config\.json that makes no sense"):
        predict(str(copy), TEXT)
    assert main(["predict", str(asking[0]), TEXT, "--repetition-penalty", "0"]) == 2
    assert "from 0.1 to 10" in capsys.readouterr().err


def test_a_penalty_of_one_costs_nothing(made, monkeypatch):
    for room in ("stepwise", "beam", "streaming"):
        monkeypatch.setattr(f"seqwise.decoding.{room}.penalize", None)
    for beams in (1, 3):
        assert tiny.our_ids(made["gpt2"], tiny.PROMPTS[:1], beams=beams, repetition=Repetition(1.0))[0]
