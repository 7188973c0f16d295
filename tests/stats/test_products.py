"""Products of columns in a regression, against statsmodels."""

import numpy as np
import pandas
import pytest
import statsmodels.formula.api as smf

from seqwise.errors import ConfigError
from seqwise.stats.products import Product
from seqwise.stats.regression import ols


@pytest.fixture
def rows():
    chance = np.random.default_rng(4)
    table = pandas.DataFrame({"a": chance.normal(5, 1, 90), "b": chance.normal(0, 2, 90)})
    table["g"] = chance.choice(["p", "q", "r"], 90)
    table["y"] = 1 + table.a + 0.8 * table.a * table.b + 2 * table.a * (table.g == "r") + chance.normal(0, 1, 90)
    return table


def fitted(rows, errors="classic"):
    q, r = ((rows.g == level).to_numpy(float) for level in "qr")
    x = np.column_stack([rows.a, rows.b, q, r, rows.a * rows.b, rows.a * q, rows.a * r])
    names = ("a", "b", "g q", "g r", "a:b", "a:g q", "a:g r")
    products = [
        Product("a:b", "a", "b", "a:b"),
        Product("a:g q", "a", "g q", "a:g"),
        Product("a:g r", "a", "g r", "a:g"),
    ]
    return ols(rows.y.to_numpy(), x, names, errors=errors, products=products)


@pytest.mark.parametrize("errors", ["classic", "HC3"])
def test_products_and_their_joint_test_equal_statsmodels(rows, errors):
    found = fitted(rows, errors)
    kind = {"cov_type": "HC3", "use_t": True} if errors == "HC3" else {}
    peer = smf.ols("y ~ a * b + a * C(g)", rows).fit(**kind)
    named = {"a:g r": "a:C(g)[T.r]", "a:b": "a:b", "b": "b"}
    for one in found.coefficients:
        if one.name in named:
            assert one.estimate.value == pytest.approx(peer.params[named[one.name]], rel=1e-9)
            assert one.error == pytest.approx(peer.bse[named[one.name]], rel=1e-9)
    (joint,) = found.joint
    wald = peer.wald_test_terms(scalar=True).table.loc["a:C(g)"]
    assert joint.statistic == pytest.approx(wald["statistic"], rel=1e-8)
    assert joint.p == pytest.approx(wald["pvalue"], rel=1e-6)
    assert joint.df == (2, 82)


def test_a_product_is_told_as_what_it_is_and_columns_where_the_others_are_0(rows):
    told = " ".join(fitted(rows).sentences())
    assert "What a goes with depends on g (F(2, 82) = " in told
    assert "What one more of a goes with is 0.8" in told
    assert " more of y for each one more of b (95 % interval " in told
    assert "where b, g q and g r are 0." in told
    assert "a is nowhere 0 (" in told
    assert "the coefficients of b, g q and g r by themselves are about" in told
    assert "Each measured in its own sd" not in told


def test_only_columns_that_are_not_multiplied_are_looked_at_for_going_together(rows):
    """b and a:b go together as a is far from 0, which is no fault of the data."""
    found = fitted(rows)
    assert max(value for _, value in found.diagnostics.inflation) > 10
    assert found.diagnostics.apart.holds is None


def test_a_product_without_its_columns_is_refused(rows):
    x = np.column_stack([rows.a, rows.a * rows.b])
    with pytest.raises(ConfigError, match=r"a:b without b: needs a product beside its two columns. Try a\*b"):
        ols(rows.y.to_numpy(), x, ("a", "a:b"), products=[Product("a:b", "a", "b")])
