import pytest
import torch

from seqwise.decoding.rules import normalisers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_normalisers_are_the_log_of_the_sum_of_exponentials(dtype):
    """Oracle: torch.logsumexp in float64, also where tokens were forbidden."""
    logits = (torch.randn(5, 300) * 9).to(dtype)
    logits[1, :10] = float("-inf")
    torch.testing.assert_close(normalisers(logits).double(), logits.double().logsumexp(1), rtol=1e-6, atol=1e-5)
