import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.decoding import Ensemble, Generation, Ranking, Repetition, Specials, decode, score, search
from seqwise.decoding.pools import length_penalty
from seqwise.decoding.rules import (
    forbid_repeats,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    likeliest,
    probabilities,
)
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build

ROOM = 4
INPUTS = torch.arange(20)[:, None]
LENGTHS = torch.ones(20, dtype=torch.int64)


def exhaustive(model, inputs, alpha, specials):
    """The best of all outputs of at most ROOM tokens, by scoring every one of them."""
    best = []
    tokens = range(5)
    outputs = [list(ids) for n in range(ROOM) for ids in itertools.product(tokens, repeat=n)]
    for row in inputs:
        many = row.expand(len(outputs), -1)
        scores = score(model, many, torch.ones(len(many), dtype=torch.int64), outputs, specials)
        penalties = torch.tensor([length_penalty(len(ids) + 1, alpha) for ids in outputs])
        value, place = (scores / penalties).max(0)
        best.append((tuple(outputs[place]), value.item()))
    return best


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
def test_a_wide_beam_finds_what_exhaustive_search_finds(table_model, specials, alpha):
    """Oracle: every output of at most three tokens, scored one by one."""
    model = table_model(3)
    made = Generation(beams=64, length_penalty=alpha, max_length=ROOM)
    for (hypothesis,), (ids, value) in zip(
        search(model, INPUTS, LENGTHS, made, specials),
        exhaustive(model, INPUTS, alpha, specials),
        strict=True,
    ):
        # outputs cut off at the limit compete too; those that ended must be the true best
        if len(hypothesis.ids) < ROOM:
            assert hypothesis.ids == ids
            assert hypothesis.score == pytest.approx(value, abs=1e-4)
        else:
            assert hypothesis.score >= value - 1e-4


@pytest.mark.parametrize("beams", [2, 3, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_beam_never_scores_below_greedy(table_model, specials, beams, alpha):
    for seed in range(12):
        model = table_model(seed, sharpness=1.5)
        greedy = search(model, INPUTS, LENGTHS, Generation(beams=1, max_length=12), specials)
        wide = Generation(beams=beams, length_penalty=alpha, max_length=12)
        found = search(model, INPUTS, LENGTHS, wide, specials)
        scores = score(model, INPUTS, LENGTHS, [g[0].ids for g in greedy], specials)
        for (g,), (b,), log_p in zip(greedy, found, scores.tolist(), strict=True):
            if len(g.ids) < 12:  # greedy ended by itself
                assert b.score >= log_p / length_penalty(len(g.ids) + 1, alpha) - 1e-4


def test_scores_are_log_probabilities_over_the_penalty(table_model, specials):
    model = table_model(5)
    made = Generation(beams=4, best=3, max_length=12)
    for i, hypotheses in enumerate(search(model, INPUTS, LENGTHS, made, specials)):
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)
        assert len({h.ids for h in hypotheses}) == 3
        for h in hypotheses:
            if len(h.ids) < 12:
                log_p = score(model, INPUTS[i : i + 1], LENGTHS[:1], [h.ids], specials).item()
                assert h.score == pytest.approx(log_p / length_penalty(len(h.ids) + 1, 0.6), abs=1e-4)


def trained_like(seed=0):
    """A real Transformer whose end token is likely enough that sentences end at different times."""
    torch.manual_seed(seed)
    made = TransformerSettings(width=32, layers=2, heads=4, feed_forward=FeedForwardSettings(width=64))
    model = build(made, 60, 60).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(2.0)
        model.head.weight[3] += model.head.weight[4:].mean(0) * 4
    return model


SPECIALS = Specials(start=2, end=3, padding=0, forbidden=(0, 2))


def sources(count=30):
    generator = torch.Generator().manual_seed(9)
    lengths = torch.randint(2, 12, (count,), generator=generator).tolist()
    return [[*torch.randint(4, 60, (n,), generator=generator).tolist(), 3] for n in lengths]


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("batch", [4, 9])
def test_order_and_neighbours_change_nothing(beams, batch):
    """Not which outputs, not how many tokens they may have, not the list of the best ones."""
    model, many = trained_like(), [*sources(8), [*range(4, 30), 3]]
    made = Generation(beams=beams, best=min(3, beams), batch=batch)
    together = decode(model, many, made, SPECIALS)
    for source, found in zip(many, together, strict=True):
        (alone,) = decode(model, [source], made, SPECIALS)
        assert [h.ids for h in alone] == [h.ids for h in found]
        assert all(len(h.ids) <= 3 * len(source) + 20 for h in found)


@pytest.mark.parametrize("beams", [1, 3])
def test_an_output_that_is_cut_off_says_so(table_model, specials, beams):
    for (h,) in search(table_model(8), INPUTS, LENGTHS, Generation(beams=beams, max_length=2), specials):
        assert h.ended == (len(h.ids) < 2)


@pytest.mark.parametrize("beams", [1, 3])
def test_forbidding_every_token_ends_the_output(table_model, specials, beams):
    made = Generation(beams=beams, no_repeat=1, max_length=12)
    for (h,) in search(table_model(8), INPUTS, LENGTHS, made, specials):
        assert len(set(h.ids)) == len(h.ids) <= 5


@pytest.mark.parametrize("by", ["wu", "mean"])
def test_an_end_that_is_all_that_is_left_costs_nothing_and_earns_nothing(table_model, specials, by):
    """Oracle: the log-probability of what was written before it; on logits far from 0, which softmax does not see."""
    model = table_model(8)
    model.tables = model.tables - 15.0
    rules = {"no_repeat": 1, "min_length": 9, "max_length": 12, "length_penalty": 1.0}
    made = Generation(beams=3, best=3, ranking=Ranking(by), **rules)
    for i, hypotheses in enumerate(search(model, INPUTS, LENGTHS, made, specials)):
        for h in hypotheses:
            assert sorted(h.ids) == [0, 1, 2, 3, 4]
            ids, total = (5, 5, *h.ids), 0.0
            for t, token in enumerate(h.ids):
                total += float(model.tables[i, ids[t], ids[t + 1]].log_softmax(0)[token])
            assert h.score == pytest.approx(total / (6 if by == "mean" else length_penalty(6, 1.0)), abs=1e-4)
        assert [h.score for h in hypotheses] == sorted((h.score for h in hypotheses), reverse=True)


def test_greedy_is_the_argmax_of_the_full_forward():
    model, many = trained_like(), sources(10)
    for source, (found,) in zip(many, decode(model, many, Generation(beams=1, max_length=15), SPECIALS), strict=True):
        ids = [2]
        while len(ids) <= 15:
            with torch.no_grad():
                logits = model(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([ids]))[0, -1]
            logits[[0, 2]] = float("-inf")
            if logits.argmax().item() == 3:
                break
            ids.append(logits.argmax().item())
        assert list(found.ids) == ids[1:]


def test_an_ensemble_of_one_model_with_itself_is_that_model():
    model, many = trained_like(), sources(8)
    for beams in (1, 3):
        made = Generation(beams=beams, max_length=15)
        alone = decode(model, many, made, SPECIALS)
        twice = decode(Ensemble([model, model]), many, made, SPECIALS)
        assert [[h.ids for h in hs] for hs in alone] == [[h.ids for h in hs] for hs in twice]


def test_an_ensemble_scores_with_the_mean_probability(table_model, specials):
    models = [table_model(1), table_model(2)]
    outputs = [[1, 2]] * 20
    one, two = (search(m, INPUTS, LENGTHS, Generation(beams=1, max_length=1), specials) for m in models)
    assert one != two
    steps = [m.step(torch.full((20,), 5), m.start(m.encode(INPUTS, LENGTHS), 1, 3))[0].softmax(-1) for m in models]
    both = Ensemble(models)
    logits, _ = both.step(torch.full((20,), 5), both.start(both.encode(INPUTS, LENGTHS), 1, 3))
    torch.testing.assert_close(logits.softmax(-1), (steps[0] + steps[1]) / 2)
    assert score(both, INPUTS, LENGTHS, outputs, specials).shape == (20,)


def test_lengths_are_kept(table_model, specials):
    for beams in (1, 4):
        made = Generation(beams=beams, min_length=3, max_length=5)
        for (h,) in search(table_model(8), INPUTS, LENGTHS, made, specials):
            assert 3 <= len(h.ids) <= 5


def test_no_sequence_repeats(table_model, specials):
    for beams in (1, 4):
        made = Generation(beams=beams, no_repeat=2, min_length=9, max_length=12)
        for (h,) in search(table_model(8), INPUTS, LENGTHS, made, specials):
            pairs = list(itertools.pairwise(h.ids))
            assert len(pairs) == len(set(pairs))


def test_forbidding_repeats_hits_only_the_completing_token():
    written = torch.tensor([[1, 2, 3, 1, 2], [4, 4, 4, 4, 4], [1, 2, 3, 4, 5]])
    out = forbid_repeats(torch.zeros(3, 7), written, 3)
    assert torch.isinf(out).nonzero().tolist() == [[0, 3], [1, 4]]


def test_sampling_is_seeded_and_gives_as_many_as_asked():
    model, many = trained_like(), sources(5)
    made = Generation(temperature=1.0, best=3, max_length=10, seed=4)
    first = decode(model, many, made, SPECIALS)
    assert first == decode(model, many, made, SPECIALS)
    assert all(len(hypotheses) == 3 for hypotheses in first)
    assert first != decode(model, many, Generation(temperature=1.0, best=3, max_length=10, seed=5), SPECIALS)


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_several_samples_of_a_text_read_it_once(penalty, monkeypatch):
    """Oracle: each text given as often as there are samples of it."""
    model, many = trained_like(), sources(6)
    read = []
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda inputs, lengths: read.append(len(inputs)) or encode(inputs, lengths))
    made = Generation(temperature=1.0, max_length=10, repetition=Repetition(penalty))
    together = decode(model, many, replace(made, best=3), SPECIALS)
    assert read == [6]
    apart = decode(model, [source for source in many for _ in range(3)], made, SPECIALS)
    assert [h.ids for found in together for h in found] == [h.ids for (h,) in apart]


def test_sampling_follows_the_softmax(table_model, specials):
    model = table_model(2, sharpness=1.0)
    inputs, lengths = torch.zeros(20_000, 1, dtype=torch.int64), torch.ones(20_000, dtype=torch.int64)
    made = Generation(temperature=1.7, max_length=1)
    generator = torch.Generator().manual_seed(0)
    drawn = [h.ids[0] if h.ids else 6 for (h,) in search(model, inputs, lengths, made, specials, generator)]
    logits = model.tables[0, 5, 5].clone()
    logits[5] = float("-inf")
    expected = (logits / 1.7).softmax(0)
    shares = torch.bincount(torch.tensor(drawn), minlength=7) / 20_000
    torch.testing.assert_close(shares, expected, atol=0.015, rtol=0)


def test_the_three_filters_keep_what_they_should():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    kept = [
        torch.isfinite(f).tolist()[0] for f in (keep_top_k(logits, 2), keep_top_p(logits, 0.6), keep_min_p(logits, 0.2))
    ]
    assert kept == [[True, True, False, False], [True, True, False, False], [True, True, True, False]]
    assert torch.isfinite(keep_top_p(logits, 0.0)).tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("steepness", "sorts"), [((6.0, 5.0), 0), ((6.0, 0.1), 1)], ids=["peaked", "one flat"])
def test_a_large_vocabulary_is_sorted_only_where_its_head_does_not_reach(p, steepness, sorts, monkeypatch):
    """Oracle: the definition, token by token in order, in float64."""
    logits = torch.randn(2, 5000, generator=torch.Generator().manual_seed(7)) * torch.tensor(steepness)[:, None]
    wanted = torch.zeros(2, 5000, dtype=torch.bool)
    for row, kept in zip(logits.double().softmax(1), wanted, strict=True):
        reached = 0.0
        for token in row.argsort(descending=True).tolist():
            if reached >= p and reached > 0.0:
                break
            kept[token], reached = True, reached + float(row[token])
    called, sort = [], torch.Tensor.sort
    monkeypatch.setattr(torch.Tensor, "sort", lambda *given, **named: called.append(1) or sort(*given, **named))
    found = keep_top_p(logits.clone(), p)
    assert torch.equal(torch.isfinite(found), wanted)
    assert torch.equal(found[torch.isfinite(found)], logits[torch.isfinite(found)])
    assert len(called) == (sorts if p > 0.0 else 0)
    called.clear()
    assert torch.equal(torch.isfinite(keep_top_p(keep_top_k(logits, 5), 0.999999)).sum(1), torch.tensor([5, 5]))
    assert not called, "five are left, and they are known"


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 3000), n=st.integers(1, 12), seed=st.integers(0, 999))
def test_likeliest_equals_topk(size, n, seed):
    torch.manual_seed(seed)
    logits = torch.randn(3, size)
    values, ids = likeliest(logits, n)
    assert torch.equal(values, logits.topk(min(n, size), 1).values)
    assert torch.equal(logits.gather(1, ids), values)


def test_an_empty_list_gives_an_empty_list():
    assert decode(trained_like(), [], Generation(), SPECIALS) == []


def test_the_lowest_temperature_is_a_search_and_makes_no_infinities():
    logits = torch.tensor([[12.0, -3.0, 11.99, float("-inf")]])
    found = probabilities(logits, Generation(temperature=1e-40))
    assert found.tolist() == [[1.0, 0.0, 0.0, 0.0]]
