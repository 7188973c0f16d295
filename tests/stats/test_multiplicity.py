"""Oracle: O10 of the statistics reference."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from seqwise.errors import ConfigError, DataError
from seqwise.stats.multiplicity import adjust, family

P = np.array([0.001, 0.012, 0.02, 0.04, 0.3])


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("bonferroni", [0.005, 0.06, 0.1, 0.2, 1.0]),
        ("holm", [0.005, 0.048, 0.06, 0.08, 0.3]),
        ("hommel", [0.005, 0.04, 0.06, 0.08, 0.3]),
        ("bh", [0.005, 0.03, 0.1 / 3, 0.05, 0.3]),
    ],
)
def test_corrections_equal_the_reference(method, expected):
    assert adjust(P, method) == pytest.approx(expected, rel=1e-12)
    shuffled = np.array([3, 0, 4, 2, 1])
    assert adjust(P[shuffled], method) == pytest.approx(np.array(expected)[shuffled], rel=1e-12)


def test_a_family_says_what_stands():
    told = family(dict(zip("abcde", P.tolist(), strict=True)))
    assert told.stand == ("a", "b")
    assert told.sentences() == ("Of 5 tests 2 stand after Holm's correction (4 would have passed alone): a, b.",)
    none = family({"a": 0.5, "b": 0.04})
    assert none.sentences() == ("Of 2 tests 0 stand after Holm's correction (1 would have passed alone).",)
    assert told.grids()[0].rows[0][0] == "a"
    assert told.to_dict()["stand"] == ["a", "b"]


def test_what_is_no_p_value_is_refused():
    for bad in ([], [0.1, np.nan], [1.2]):
        with pytest.raises(DataError):
            adjust(np.array(bad, dtype=np.float64))
    with pytest.raises((ConfigError, TypeCheckError)):
        adjust(P, "none")
