import pytest
import torch
from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

from seqwise.decoding import Generation, Repetition, Specials
from seqwise.decoding.rules import context, forbid_repeats, normalisers, penalize


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_normalisers_are_the_log_of_the_sum_of_exponentials(dtype):
    """Oracle: torch.logsumexp in float64, also where tokens were forbidden."""
    logits = (torch.randn(5, 300) * 9).to(dtype)
    logits[1, :10] = float("-inf")
    torch.testing.assert_close(normalisers(logits).double(), logits.double().logsumexp(1), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("strength", [1.3, 0.7])
def test_a_penalty_is_transformers_own_however_often_a_token_occurs(strength):
    """Oracle: RepetitionPenaltyLogitsProcessor; scores of both signs and none, in bf16 too; below 1 it is a reward."""
    logits = torch.randn(3, 9)
    logits[0, :2] = torch.tensor([0.0, float("-inf")])
    seen = torch.tensor([[0, 1, 1, 3], [4, 4, 4, 4], [8, 7, 2, 0]])
    oracle = RepetitionPenaltyLogitsProcessor(strength)
    settings = Generation(repetition=Repetition(strength))
    assert torch.equal(penalize(logits, seen, settings), oracle(seen, logits.clone()))
    rounded = logits.bfloat16()
    assert torch.equal(penalize(rounded, seen, settings), oracle(seen, rounded.float()))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_what_stands_before_a_shorter_prompt_repeats_nothing_and_is_not_penalized(size):
    """Oracle: both of transformers' processors, a row at a time without what stands before it."""
    rows = [[3, 4, 3, 3, 4, 3], [5, 5, 5], [6]]
    seen = torch.tensor([[-1] * (6 - len(row)) + row for row in rows])
    logits, settings = torch.randn(3, 9), Generation(repetition=Repetition(1.3))
    repeats, penalty = NoRepeatNGramLogitsProcessor(size), RepetitionPenaltyLogitsProcessor(1.3)
    alone = [(torch.tensor([row]), logits[i : i + 1]) for i, row in enumerate(rows)]
    assert torch.equal(forbid_repeats(logits.clone(), seen, size), torch.cat([repeats(*one) for one in alone]))
    assert torch.equal(penalize(logits, seen, settings), torch.cat([penalty(*one) for one in alone]))


def test_before_an_output_stands_the_prompt_without_its_padding_or_the_start_token():
    inputs, lengths = torch.tensor([[4, 5, 0], [6, 0, 0]]), torch.tensor([2, 1])
    specials = Specials(start=1, end=2, padding=0)
    assert context(inputs, lengths, torch.tensor([7, 8]), specials).tolist() == [[-1, 4, 5, 7], [-1, -1, 6, 8]]
    assert context(inputs, lengths, None, specials).tolist() == [[1], [1]]
    assert context(inputs[:, :0], lengths * 0, torch.tensor([7, 8]), specials).tolist() == [[7], [8]]
