from itertools import product

import pytest
import torch
from torch import nn

from seqwise.models.assemble import build_classifier
from seqwise.models.heads import LabelsSettings
from seqwise.models.lstm import LSTMSettings
from seqwise.models.recurrent import RecurrentTranslator

VOCABULARY, START = 13, 2
LENGTHS = torch.tensor([4, 6, 1])
B, S, T = 3, 6, 5
VARIANTS = [
    LSTMSettings(width=8, embedding_width=6, layers=layers, bidirectional=both, attention=kind, input_feeding=feed)
    for kind, feed, (layers, both) in product(("additive", "multiplicative"), (False, True), ((2, True), (1, False)))
]
every_variant = pytest.mark.parametrize(
    "settings",
    VARIANTS,
    ids=lambda s: f"{s.attention}-{'fed' if s.input_feeding else 'unfed'}-{s.layers}{'bi' * s.bidirectional}",
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(4)


def make(settings, vocabulary=VOCABULARY):
    width = settings.token_width
    tables = nn.Embedding(vocabulary, width), nn.Embedding(vocabulary, width)
    return RecurrentTranslator(settings, *tables, nn.Linear(width, vocabulary)).eval()


def sentences():
    inputs = torch.randint(3, VOCABULARY, (B, S))
    inputs[torch.arange(S) >= LENGTHS[:, None]] = 0
    shifted = torch.randint(3, VOCABULARY, (B, T))
    shifted[:, 0] = START
    return inputs, LENGTHS, shifted


def by_hand(model, settings, source, shifted):
    """Logits of one unpadded pair, written down from the papers with torch's own cells: the slow oracle."""
    attend, decoder = model.decoder.attend, model.decoder
    memory, starts = model.encoder.embed(source)[:, None], []  # (S, 1, E)
    for layer, bridge in zip(model.encoder.stack, decoder.bridge, strict=True):
        outputs, (last, _) = layer.forwards(memory.transpose(0, 1))
        outputs, last = outputs.transpose(0, 1), last[0]
        if layer.backwards is not None:
            back, (last_back, _) = layer.backwards(memory.flip(0).transpose(0, 1))
            outputs = torch.cat((outputs, back.transpose(0, 1).flip(0)), -1)
            last = torch.cat((last, last_back[0]), -1)
        memory = outputs
        starts.append(torch.tanh(bridge(last)).chunk(2, -1))
    memory = memory[:, 0]
    cells = []
    for layer in decoder.stack:
        cell = nn.LSTMCell(layer.forwards.input_size, settings.width)
        weights = {name.removesuffix("_l0"): value for name, value in layer.forwards.named_parameters()}
        cell.load_state_dict(weights)
        cells.append(cell)
    fed, logits = torch.zeros(1, settings.token_width), []
    for token in shifted:
        x = model.decoder.embed(token[None])
        x = torch.cat((x, fed), 1) if settings.input_feeding else x
        for i, cell in enumerate(cells):
            starts[i] = cell(x, starts[i])
            x = starts[i][0]
        if settings.attention == "additive":
            inner = attend.alignment.query(x) + attend.alignment.keys(memory)
            scores = attend.alignment.vector(inner.tanh())[:, 0]
        else:
            scores = memory @ attend.alignment.keys.weight.t() @ x[0]
        context = scores.softmax(0) @ memory
        fed = torch.tanh(attend.values(context) + attend.hidden(x))
        logits.append(model.head(fed)[0])
    return torch.stack(logits)


@every_variant
def test_logits_equal_the_model_written_out_by_hand(settings):
    """Oracle: each sentence alone and unpadded, torch's LSTM and LSTMCell, attention as in the papers."""
    model, (inputs, lengths, shifted) = make(settings), sentences()
    logits = model(inputs, lengths, shifted)
    assert logits.shape == (B, T, VOCABULARY)
    for b, length in enumerate(lengths.tolist()):
        wanted = by_hand(model, settings, inputs[b, :length], shifted[b])
        torch.testing.assert_close(logits[b], wanted, atol=1e-5, rtol=1e-5)


@every_variant
def test_gradients_equal_those_of_the_model_by_hand(settings):
    """Oracle: autograd through the hand-written model, for what both share."""
    model, (inputs, lengths, shifted) = make(settings), sentences()
    shared = [*model.encoder.parameters(), *model.decoder.bridge.parameters(), *model.head.parameters()]
    shared += [*model.decoder.attend.parameters(), model.decoder.embed.weight]
    pull = torch.randn(B, T, VOCABULARY)
    found = torch.autograd.grad((model(inputs, lengths, shifted) * pull).sum(), shared)
    pairs = zip(inputs, lengths.tolist(), shifted, strict=True)
    slow = torch.stack([by_hand(model, settings, i[:n], s) for i, n, s in pairs])
    wanted = torch.autograd.grad((slow * pull).sum(), shared)
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-4)


@every_variant
def test_step_by_step_equals_all_at_once(settings):
    model, (inputs, lengths, shifted) = make(settings), sentences()
    logits = model(inputs, lengths, shifted)
    state = model.start(model.encode(inputs, lengths), beams=1, room=T)
    for t in range(T):
        found, state = model.step(shifted[:, t], state)
        torch.testing.assert_close(found, logits[:, t], atol=1e-5, rtol=1e-5)


@every_variant
def test_beams_of_a_sentence_equal_separate_sentences(settings):
    """Each beam writes its own tokens; the memory is kept once for a sentence."""
    model, (inputs, lengths, _) = make(settings), sentences()
    beams = 3
    written = torch.randint(3, VOCABULARY, (B * beams, T))
    rows = torch.arange(B).repeat_interleave(beams)
    logits = model(inputs[rows], lengths[rows], written)
    state = model.start(model.encode(inputs, lengths), beams, room=T)
    for t in range(T):
        found, state = model.step(written[:, t], state)
        torch.testing.assert_close(found, logits[:, t], atol=1e-5, rtol=1e-5)
        assert len(state.memory.keys) == len(state.memory.values) == B


@every_variant
def test_reordered_and_kept_beams_go_on_as_if_they_had_always_been_so(settings):
    """Oracle: the whole prefix of each surviving beam, teacher-forced."""
    model, (inputs, lengths, _) = make(settings), sentences()
    beams = 2
    written = torch.randint(3, VOCABULARY, (B * beams, T))
    state = model.start(model.encode(inputs, lengths), beams, room=T)
    for t in range(2):
        _, state = model.step(written[:, t], state)
    parents, kept = torch.tensor([1, 1, 2, 3, 5, 4]), torch.tensor([0, 2])
    rows = torch.tensor([0, 1, 4, 5])  # the beams of the sentences that are kept
    written[:, :2] = written[parents, :2]
    state = state.reorder(parents).keep(kept)
    assert len(state.memory.keys) == 2
    sources = kept.repeat_interleave(beams)
    logits = model(inputs[sources], lengths[sources], written[rows])
    for t in range(2, T):
        found, state = model.step(written[rows, t], state)
        torch.testing.assert_close(found, logits[:, t], atol=1e-5, rtol=1e-5)


def test_a_state_is_a_value_that_can_be_used_twice():
    model, (inputs, lengths, shifted) = make(VARIANTS[-2]), sentences()
    state = model.start(model.encode(inputs, lengths), beams=1, room=T)
    once, _ = model.step(shifted[:, 0], state)
    state.reorder(torch.tensor([0, 1, 2]))
    again, _ = model.step(shifted[:, 0], state)
    assert torch.equal(once, again)


@every_variant
def test_attention_weights_rebuild_the_vectors_that_predict(settings):
    """Rows add up to 1, padding has 0, and the weighted values give the head's input."""
    model, (inputs, lengths, shifted) = make(settings), sentences()
    weights = model.weights(inputs, lengths, shifted)
    assert weights.shape == (B, T, S)
    torch.testing.assert_close(weights.sum(-1), torch.ones(B, T))
    assert (weights * (torch.arange(S) >= LENGTHS[:, None])[:, None]).count_nonzero() == 0
    memory = model.encode(inputs, lengths)
    top, _ = model.decoder(shifted, memory)
    vectors = torch.tanh(weights @ memory.values + model.decoder.attend.hidden(top))
    torch.testing.assert_close(vectors, model.hidden(inputs, lengths, shifted), atol=1e-6, rtol=1e-6)


def test_what_stands_in_the_padding_of_the_source_changes_nothing():
    for settings in VARIANTS:
        model, (inputs, lengths, shifted) = make(settings), sentences()
        other = torch.where(torch.arange(S) < LENGTHS[:, None], inputs, 7)
        torch.testing.assert_close(
            model(other, lengths, shifted), model(inputs, lengths, shifted), atol=1e-6, rtol=1e-6
        )
        wider = torch.cat((inputs, torch.full((B, 4), 9)), 1)
        torch.testing.assert_close(
            model(wider, lengths, shifted), model(inputs, lengths, shifted), atol=1e-6, rtol=1e-6
        )


def test_a_batch_without_padding_needs_no_mask():
    model, (inputs, _, shifted) = make(VARIANTS[0]), sentences()
    full = torch.full((B,), S)
    assert model.encode(inputs, full).padding is None
    wider = torch.cat((inputs, torch.zeros(B, 1, dtype=torch.int64)), 1)
    assert model.encode(wider, full).padding is not None
    torch.testing.assert_close(model(wider, full, shifted), model(inputs, full, shifted), atol=1e-6, rtol=1e-6)


@every_variant
def test_every_weight_learns(settings):
    model, (inputs, lengths, shifted) = make(settings), sentences()
    model.train()
    model(inputs, lengths, shifted).square().sum().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_dropout_acts_in_training_and_repeats_with_the_seed():
    settings = LSTMSettings(width=16, dropout=0.5)
    model, batch = make(settings), sentences()
    calm = model(*batch)
    assert torch.equal(model(*batch), calm)
    model.train()
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(model(*batch))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])
    assert not torch.allclose(results[0], calm)
    torch.manual_seed(1)
    model.encoder.dropout.rate = model.decoder.embed_dropout.rate = 0.0
    model.encoder.stack.dropout.rate = model.decoder.stack.dropout.rate = model.decoder.dropout.rate = 0.0
    torch.testing.assert_close(model(*batch), calm, atol=1e-6, rtol=1e-6)


def test_embeddings_are_dropped_only_if_the_settings_say_so():
    for drop in (False, True):
        settings = LSTMSettings(width=16, layers=1, dropout=0.5, drop_embeddings=drop)
        model = make(settings).train()
        model.decoder.dropout.rate = 0.0
        batch = sentences()
        assert torch.equal(model(*batch), model(*batch)) is not drop


def test_a_model_without_numbers_can_be_built_to_be_counted():
    settings = LSTMSettings(width=8, chrono=20, forget_bias=1.0)
    with torch.device("meta"):
        ghost = make(settings)
    real = make(settings)
    assert sum(p.numel() for p in ghost.parameters()) == sum(p.numel() for p in real.parameters())


def test_gate_biases_come_from_the_settings():
    model = make(LSTMSettings(width=8, forget_bias=2.0))
    for layer in (*model.encoder.stack, *model.decoder.stack):
        total = layer.forwards.bias_ih_l0 + layer.forwards.bias_hh_l0
        torch.testing.assert_close(total.view(4, 8), torch.tensor([0.0, 2.0, 0.0, 0.0])[:, None].expand(4, 8))


@every_variant
def test_it_runs_in_bf16(settings):
    """Oracle: the same weights in fp32. Loose: states and products are rounded to 8 bits, step after step."""
    model, (inputs, lengths, shifted) = make(settings), sentences()
    wanted = model(inputs, lengths, shifted)
    model.bfloat16()
    found = model(inputs, lengths, shifted)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, atol=0.05, rtol=0.05)
    found.float().log_softmax(-1)[..., 3].sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())
    with torch.inference_mode():
        state = model.start(model.encode(inputs, lengths), beams=1, room=T)
        for t in range(T):
            logits, state = model.step(shifted[:, t], state)
            torch.testing.assert_close(logits.float(), wanted[:, t], atol=0.05, rtol=0.05)


def reversed_pairs(count, generator):
    """Sequences of three to six tokens, and the same backwards, end token (3) last on both sides."""
    lengths = torch.randint(3, 7, (count,), generator=generator)
    tokens = torch.randint(4, VOCABULARY, (count, 6), generator=generator)
    place = torch.arange(7)
    padded = torch.cat((tokens, torch.zeros(count, 1, dtype=torch.int64)), 1)
    inputs = torch.where(place < lengths[:, None], padded, 0)
    mirrored = (lengths[:, None] - 1 - place).clamp(min=0)
    targets = torch.where(place < lengths[:, None], padded.gather(1, mirrored), 0)
    for rows in (inputs, targets):
        rows.scatter_(1, lengths[:, None], 3)
    return inputs, lengths + 1, targets


@pytest.mark.parametrize("feed", [False, True])
def test_it_learns_to_reverse(feed):
    """Unseen sequences, greedily, token by token: at least nine in ten exactly right after some seconds."""
    generator = torch.Generator().manual_seed(5)
    settings = LSTMSettings(width=48, layers=1, dropout=0.0, input_feeding=feed)
    model = make(settings).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=8e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, 140)
    for _ in range(140):
        inputs, lengths, targets = reversed_pairs(96, generator)
        shifted = torch.cat((torch.full((len(targets), 1), START), targets[:, :-1]), 1)
        logits = model(inputs, lengths, shifted)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    assert loss < 0.2
    inputs, lengths, targets = reversed_pairs(64, generator)
    with torch.inference_mode():
        state = model.eval().start(model.encode(inputs, lengths), beams=1, room=7)
        last, written = torch.full((64,), START), []
        for _ in range(7):
            logits, state = model.step(last, state)
            last = logits.argmax(1)
            written.append(last)
    right = (torch.stack(written, 1) == targets) | (targets == 0)
    assert right.all(1).float().mean() >= 0.9


@pytest.mark.parametrize("gathering", ["last", "mean", "max"])
@pytest.mark.parametrize("both", [True, False])
def test_a_classifier_gathers_what_one_computes_by_hand_and_padding_changes_nothing(gathering, both):
    settings = LSTMSettings(width=8, embedding_width=6, layers=2, bidirectional=both)
    model = build_classifier(settings, LabelsSettings(labels=3), VOCABULARY, gathering=gathering).eval()
    inputs, lengths, _ = sentences()
    scores = model(inputs, lengths)
    for i, length in enumerate(lengths.tolist()):
        row = inputs[i : i + 1, :length]
        torch.testing.assert_close(model(row), scores[i : i + 1])
        outputs, _ = model.encoder(row, None)  # (1, S, W2)
        forwards, backwards = outputs[0, -1, :8], outputs[0, 0, 8:]
        by_hand = {"last": torch.cat((forwards, backwards)), "mean": outputs[0].mean(0), "max": outputs[0].amax(0)}
        torch.testing.assert_close(model.hidden(row, lengths[i : i + 1])[0, 0], by_hand[gathering])
        torch.testing.assert_close(model.head.out(by_hand[gathering]), scores[i])
