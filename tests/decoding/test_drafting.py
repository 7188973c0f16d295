"""Drafts change how fast a text is written, not which: the oracle is decoding without them, or the distribution."""

import itertools
from dataclasses import dataclass, replace

import pytest
import torch
from scipy import stats

from seqwise.config import check
from seqwise.decoding import Drafting, Generation, Repetition, Specials, decode
from seqwise.decoding.drafters import Cheaper, Lookup
from seqwise.decoding.drafting import Page, Tally
from seqwise.decoding.pace import REST, Pace
from seqwise.decoding.rules import forbid, penalize, probabilities
from seqwise.decoding.streaming import stream
from seqwise.errors import ConfigError
from seqwise.models.architecture import FeedForwardSettings, TransformerSettings
from seqwise.models.assemble import build_decoder
from seqwise.models.attention import AttentionSettings
from seqwise.models.positions import PositionSettings
from seqwise.models.twin import twin

V, START, END, OTHER_END = 30, 1, 2, 3
STEERING = Specials(START, END, 0, forbidden=(0, START), bounded=False)
RULES = {
    "plain": (Generation(beams=1, max_length=14), STEERING),
    "two ends": (Generation(beams=1, max_length=14, min_length=5), replace(STEERING, also_end=(OTHER_END, 4, 5, 6))),
    "penalty": (Generation(beams=1, max_length=14, repetition=Repetition(1.4)), STEERING),
    "no repeats": (Generation(beams=1, max_length=14, no_repeat=3, min_length=3), STEERING),
    "forced": (Generation(beams=1, max_length=9), replace(STEERING, forced=7, forced_end=True)),
    "one token": (Generation(beams=1, max_length=1), STEERING),
    "one a draft": (Generation(beams=1, max_length=14, drafting=Drafting("int8", 1)), STEERING),
}


def decoder(seed, window=None):
    """One layer, random weights large enough to have opinions."""
    settings = TransformerSettings(
        shape="decoder", width=16, layers=1, heads=2, dropout=0.0, feed_forward=FeedForwardSettings(width=24),
        positions=PositionSettings("rotary"), attention=AttentionSettings(window=window),
    )  # fmt: skip
    made = build_decoder(settings, V).eval()
    drawn = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in made.parameters():
            weight.normal_(std=0.4, generator=drawn)
    return made


def prompts(count, seed=5):
    """Some of a few tokens that come again and again, some of one token."""
    drawn = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 12, (count,), generator=drawn).tolist()
    return [torch.randint(4, 4 + 3 * n, (n,), generator=drawn).clamp(max=V - 1).tolist() for n in lengths]


def written(model, texts, settings, steering=STEERING, drafter=None):
    """One at a time with a drafter, together without."""
    sources, starts = [text[:-1] for text in texts], [text[-1] for text in texts]
    made = settings if drafter is None else replace(settings, batch=1)
    found = decode(model, sources, made, steering, starts=starts, drafter=drafter)
    return [one for (one,) in found]


DRAFTERS = {
    "int8": lambda model: Cheaper(twin(model)),
    "lookup": lambda model: Lookup(),
    "another model": lambda model: Cheaper(decoder(99)),  # wrong nearly always, and it leaves its keys in the cache
}


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("by", DRAFTERS)
def test_a_greedy_text_is_what_is_written_without_a_draft(rules, by):
    """Oracle: one_by_one in fp32, 10 prompts for each drafter and rules; ids, and whether the end was written."""
    settings, steering = RULES[rules]
    model = decoder(1, window=6 if rules == "plain" else None)
    drafter = DRAFTERS[by](model)
    texts = prompts(10)
    assert written(model, texts, settings, steering, drafter) == written(model, texts, settings, steering)
    assert drafter.tally.drafted or rules == "one token"
    assert by != "another model" or drafter.tally.accepted <= drafter.tally.drafted / 2


def test_a_draft_by_int8_is_mostly_accepted_and_spares_steps():
    drafter = Cheaper(twin(model := decoder(1)))
    many = sum(len(one.ids) + one.ended for one in written(model, prompts(12), RULES["plain"][0], drafter=drafter))
    assert drafter.tally.accepted > 0.8 * drafter.tally.drafted
    assert many == drafter.tally.accepted + drafter.tally.steps
    assert drafter.tally.steps < many / 2


@pytest.mark.parametrize("rules", ["plain", "forced"])
def test_a_stream_is_what_is_written_without_a_draft(rules):
    model, (made, steering) = decoder(3), RULES[rules]
    for text in prompts(6):
        (whole,) = written(model, [text], made, steering)
        plain = list(stream(model, text, made, steering))
        assert tuple(plain) == whole.ids
        for make in DRAFTERS.values():
            assert list(stream(model, text, made, steering, drafter=make(model))) == plain


def test_several_texts_at_once_are_written_without_a_draft():
    drafter, model = Lookup(), decoder(1)
    sources, made = [[5, 6], [7, 8, 9]], Generation(beams=1, max_length=8)
    decode(model, sources, made, STEERING, starts=[4, 4], drafter=drafter)
    decode(model, sources[:1], replace(made, temperature=1.0, best=3), STEERING, starts=[4], drafter=drafter)
    assert drafter.tally == Tally()


@dataclass(frozen=True)
class Place:
    """The last two tokens of a table's text, and those before, to go back to."""

    past: tuple[int, ...]

    def back(self, steps):
        """As if the last had not been read."""
        return Place(self.past[: len(self.past) - steps])


class Table:
    """A model of seven tokens that looks at the last two, fast enough to be asked thousands of times."""

    def __init__(self, seed, near=None):
        noise = 2.0 * torch.randn(7, 7, 7, generator=torch.Generator().manual_seed(seed))
        self.table = noise if near is None else near.table + 0.6 * noise

    def encode(self, inputs, lengths):
        """The prompt."""
        return Place((0, *inputs[0].tolist()))

    def start(self, memory, beams, room):
        """Nothing is written."""
        return memory

    def step(self, ids, state):
        """One more."""
        past = (*state.past, int(ids))
        return self.table[past[-2], past[-1]][None].clone(), Place(past)

    def steps(self, ids, state):
        """Several more."""
        found = []
        for token in ids[0]:
            logits, state = self.step(token, state)
            found.append(logits)
        return torch.stack(found, 1), state


SAMPLING = {
    "all tokens": Generation(temperature=1.0, max_length=3),
    "filters and rules": Generation(
        temperature=1.3, top_k=5, top_p=0.9, min_p=0.05, max_length=3, min_length=2, repetition=Repetition(1.5)
    ),
}
OF_TABLE = Specials(0, 6, 0, forbidden=(0,), bounded=False)


def distribution(model, prompt, settings):
    """The probability of each output, by the rules of sampling token by token."""
    found = {}
    open_ones = {(): 1.0}
    for _ in range(settings.max_length):
        going = {}
        for ids, chance in open_ones.items():
            past = [*prompt, *ids]
            logits = model.table[past[-2], past[-1]][None].clone()
            if settings.repetition_penalty != 1.0:
                logits = penalize(logits, torch.tensor([past]), settings)
            logits = forbid(logits, torch.tensor([ids], dtype=torch.int64).view(1, -1), settings, OF_TABLE)
            for token, p in enumerate(probabilities(logits, settings)[0].tolist()):
                if p and token == OF_TABLE.end:
                    found[ids, True] = chance * p
                elif p:
                    going[(*ids, token)] = chance * p
        open_ones = going
    return found | {(ids, False): chance for ids, chance in open_ones.items()}


@pytest.mark.parametrize(
    ("by", "rules"), [("model", "all tokens"), ("model", "filters and rules"), ("lookup", "filters and rules")]
)
def test_samples_have_the_distribution_of_the_model(rules, by):
    """H0: they have it. Chi-square over all outputs, rare ones together, 500 samples with a fixed seed."""
    model, settings = Table(0), SAMPLING[rules]
    likely = int(model.table[2, 3, 1:6].argmax()) + 1  # so that lookup is right now and then
    prompt = [2, 3, likely, 5, 2, 3]
    drafter = Cheaper(Table(1, near=model)) if by == "model" else Lookup()
    expected, drawn, count = distribution(model, prompt, settings), torch.Generator().manual_seed(11), 500
    seen = dict.fromkeys(expected, 0)
    for _ in range(count):
        ((one,),) = decode(
            model, [prompt[:-1]], settings, OF_TABLE, generator=drawn, starts=[prompt[-1]], drafter=drafter
        )
        seen[one.ids, one.ended] += 1
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-5)
    common = [key for key, p in expected.items() if p * count >= 5]
    told = [seen[key] for key in common] + [count - sum(seen[key] for key in common)]
    meant = [expected[key] * count for key in common]
    meant.append(count - sum(meant))
    assert stats.chisquare(told, meant).pvalue > 0.01
    assert 0.1 < drafter.tally.accepted / drafter.tally.drafted < 0.95


def page(ids, room=20):
    return Page(ids, room, Generation(beams=1), STEERING, None, "cpu")


@pytest.mark.parametrize(
    ("ids", "tokens"),
    [
        ([5, 6, 7, 8, 9, 5, 6, 7], (8, 9, 5)),  # after three tokens
        ([5, 6, 7, 8, 4, 6, 7, 9, 8, 6, 7], (9, 8, 6)),  # after two, where they stood last
        ([4, 5, 4, 5, 4, 5], (4, 5, 4)),  # round and round
        ([4, 5, 6, 7], ()),
        ([4], ()),
    ],
)
def test_lookup_goes_on_as_the_text_went_on_before(ids, tokens):
    assert Lookup().draft(page(ids), None, 3).tokens == tokens


def test_a_pace_rises_with_acceptance_and_rests_where_drafts_cost_more_than_they_give():
    pace = Pace(8, 0.5)
    first = pace.count
    for _ in range(20):
        pace.told(pace.count, pace.count)
    assert first < pace.count == 8
    for _ in range(40):
        pace.told(0, pace.count)
        if pace.count == 0:
            break
    assert pace.count == 0
    counts = []
    for _ in range(REST + 1):
        pace.told(0, pace.count)
        counts.append(pace.count)
    assert counts == [0] * (REST - 1) + [1, 0]


@pytest.mark.parametrize(("rate", "cost"), list(itertools.product([0.5, 0.8, 0.97], [0.03, 0.3, 0.55])))
def test_the_length_of_a_draft_gives_the_most_tokens_for_its_steps(rate, cost):
    """Oracle: the expectation over where the first token is rejected, for each length."""
    pace = Pace(12, cost)
    pace.accepted, pace.rejected = rate, 1 - rate

    def gain(k):
        tokens = sum((i + 1) * rate**i * (1 - rate) for i in range(k)) + (k + 1) * rate**k
        return tokens / (1 + k * cost)

    assert gain(pace._best()) == pytest.approx(max(gain(k) for k in range(13)))


def test_drafts_of_beams_are_refused_and_of_samples_are_not():
    check(Generation(beams=4, temperature=0.7, drafting=Drafting("int8")))
    with pytest.raises(ConfigError, match="drafts by lookup with 4 beams"):
        check(Generation(beams=4, drafting=Drafting("lookup")))
