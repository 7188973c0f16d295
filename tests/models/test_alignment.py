import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from seqwise.models import alignment
from seqwise.models.alignment import AttentionalLayer, additive, align, average, beyond, dot, general

B, T, S, A = 3, 4, 5, 6
LENGTHS = torch.tensor([5, 2, 1])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(2)


def one_by_one(score, query, memory):
    """Scores of each pair of positions by itself: the slow oracle."""
    b, t, s = len(query), query.shape[1], memory.shape[1]
    scores = [score(query[i, j], memory[i, k]) for i in range(b) for j in range(t) for k in range(s)]
    return torch.stack(scores).view(b, t, s)


@pytest.mark.parametrize("chunk", [1, 2 * B * S * A, 2**20])
def test_additive_scores_equal_the_formula_whatever_is_done_at_a_time(chunk, monkeypatch):
    """Oracle: v . tanh(q + k), Bahdanau et al. 2015, pair by pair; gradients by autograd through it."""
    monkeypatch.setattr(alignment, "CHUNK", chunk)
    leaves = [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((B, T, A), (B, S, A), (A,))]
    query, keys, vector = leaves
    wanted = one_by_one(lambda q, k: vector @ torch.tanh(q + k), query, keys)
    found = additive(query, keys, vector)
    torch.testing.assert_close(found, wanted)
    pull = torch.randn_like(found)
    torch.testing.assert_close(
        torch.autograd.grad((found * pull).sum(), leaves), torch.autograd.grad((wanted * pull).sum(), leaves)
    )


def test_additive_gradients_pass_finite_differences():
    shapes = ((2, 3, 4), (2, 5, 4), (4,))
    assert gradcheck(additive, [torch.randn(s, dtype=torch.float64, requires_grad=True) for s in shapes])


def test_multiplicative_scores_equal_luongs_formulae():
    """Oracles: q . m and q^T W m, Luong et al. 2015, section 3.1, pair by pair."""
    query, memory, matrix = torch.randn(B, T, A), torch.randn(B, S, 7), torch.randn(A, 7)
    keys = torch.randn(B, S, A)
    torch.testing.assert_close(dot(query, keys), one_by_one(torch.dot, query, keys), atol=1e-5, rtol=1e-5)
    wanted = one_by_one(lambda q, m: q @ matrix @ m, query, memory)
    torch.testing.assert_close(general(query, memory, matrix), wanted, atol=1e-5, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.sampled_from([torch.float32, torch.bfloat16]))
def test_weights_add_up_to_one_and_padding_gets_nothing(lengths, dtype):
    lengths = torch.tensor(lengths)
    padding = beyond(lengths, 9)
    weights = align(30 * torch.randn(len(lengths), 2, 9).to(dtype), padding)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights.sum(-1), torch.ones(len(lengths), 2))
    assert (weights.masked_select(padding[:, None]) == 0).all()
    assert padding.sum() == (9 - lengths).sum()


def test_the_average_is_that_of_the_real_positions():
    scores, values = torch.randn(B, T, S), torch.randn(B, S, A)
    found = average(align(scores, beyond(LENGTHS, S)), values)
    for b, length in enumerate(LENGTHS.tolist()):
        wanted = scores[b, :, :length].softmax(-1) @ values[b, :length]
        torch.testing.assert_close(found[b], wanted)


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_the_attentional_layer_follows_luong(kind):
    """Oracle: eq. 5 as printed, tanh(W_c [c; h]), with the context c of the memory itself, row by row."""
    layer = AttentionalLayer(kind, query=A, memory=8, answer=7)
    hidden, memory = torch.randn(B, T, A), torch.randn(B, S, 8)
    keys, values = layer.remember(memory)
    found = layer(hidden, keys, values, beyond(LENGTHS, S))
    both = torch.cat((layer.values.weight, layer.hidden.weight), 1)  # (7, 8 + A): W_c
    for b, length in enumerate(LENGTHS.tolist()):
        m = memory[b, :length]
        for t in range(T):
            q = hidden[b, t]
            if kind == "additive":
                inner = layer.alignment.query(q) + layer.alignment.keys(m)
                scores = layer.alignment.vector(inner.tanh())[:, 0]
            else:
                scores = torch.stack([q @ layer.alignment.keys.weight @ row for row in m])
            context = scores.softmax(0) @ m
            wanted = torch.tanh(both @ torch.cat((context, q)))
            torch.testing.assert_close(found[b, t], wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_alignment_in_bf16_stays_near_fp32(kind):
    """Oracle: the same weights in fp32. The gradient of shared keys is summed in fp32 and rounded once."""
    layer = AttentionalLayer(kind, query=32, memory=32, answer=32)
    hidden, memory = torch.randn(2, 40, 32), torch.randn(2, 50, 32)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        layer.to(dtype).zero_grad()
        leaf = memory.detach().clone().to(dtype).requires_grad_()
        answer = layer(hidden.to(dtype), *layer.remember(leaf), None)
        assert answer.dtype == dtype
        answer.sum().backward()
        found.append((answer.float(), leaf.grad.float()))
    torch.testing.assert_close(found[1][0], found[0][0], atol=0.05, rtol=0.05)
    difference = (found[1][1] - found[0][1]).norm() / found[0][1].norm()
    assert difference < 0.05
