import math

import pytest

from seqwise.errors import DataError
from seqwise.metrics.likelihood import perplexity


def test_a_model_that_guesses_among_eight_has_a_perplexity_of_eight():
    tokens = [3, 5, 2]
    found, bits = perplexity([n * math.log(8) for n in tokens], tokens, [6, 10, 4], resamples=50)
    assert found.value == pytest.approx(8.0)
    assert found.interval == pytest.approx((8.0, 8.0))
    assert bits.value == pytest.approx(3 * 10 / 20)


def test_tokens_count_and_not_lines():
    """A long line weighs more: (1 x 2 + 9 x 1) nats over 10 tokens."""
    assert perplexity([2.0, 9.0], [1, 9], [4, 40], resamples=10)[0].value == pytest.approx(math.exp(1.1))


def test_nothing_to_foresee_is_refused():
    with pytest.raises(DataError, match="at least two tokens"):
        perplexity([0.0], [0], [3])
