import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seqwise.models.lstm import (
    GATES,
    LSTMSettings,
    LSTMStack,
    LSTMState,
    LSTMWeights,
    gates,
    initialise,
    lstm_step,
)
from seqwise.models.reversal import turned, turning

B, T, E, W = 4, 7, 5, 6
LENGTHS = torch.tensor([5, 7, 1, 3])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


def named(found):
    """The four gates of a value, by name."""
    return {name: getattr(found, name) for name in ("input", "forget", "candidate", "output")}


def walk(x, state, weights):
    """A sequence by `lstm_step` alone: gates, hidden states and cells at each position."""
    steps = []
    for t in range(x.shape[1]):
        found, state = lstm_step(x[:, t], state, weights)
        steps.append((*named(found).values(), state.hidden, state.cell))
    return [torch.stack(parts, 1) for parts in zip(*steps, strict=True)]


def copied(stack, inputs, layers, bidirectional):
    """torch's own stacked LSTM with the weights of ours."""
    oracle = nn.LSTM(inputs, stack.width, layers, batch_first=True, bidirectional=bidirectional)
    for i, layer in enumerate(stack):
        for kernel, suffix in ((layer.forwards, ""), (layer.backwards, "_reverse")):
            if kernel is not None:
                for name, value in kernel.named_parameters():
                    oracle.get_parameter(name.replace("_l0", f"_l{i}{suffix}")).data.copy_(value.data)
    return oracle


def packed(oracle, x):
    """Through torch's packed sequences, which is how one usually keeps padding out."""
    rows = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    outputs, (hidden, cell) = oracle(rows)
    return pad_packed_sequence(outputs, batch_first=True, total_length=T)[0], hidden, cell


def real():
    return (torch.arange(T) < LENGTHS[:, None])[..., None]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.integers(0, 99))
def test_a_step_equals_torch_lstm_forward_and_backward(rows, length, inputs, width, seed):
    """Oracle: torch.nn.LSTM with the same weights, started from the same state."""
    torch.manual_seed(seed)
    oracle = nn.LSTM(inputs, width, batch_first=True)
    x = torch.randn(rows, length, inputs, requires_grad=True)
    h, c = torch.randn(2, rows, width, requires_grad=True).unbind()
    leaves = [x, *oracle.parameters()]
    outputs, (_, last) = oracle(x, (h[None], c[None]))
    *_, hidden, cells = walk(x, LSTMState(h, c), LSTMWeights.of(oracle))
    torch.testing.assert_close(hidden, outputs, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(cells[:, -1], last[0], atol=1e-6, rtol=1e-6)
    wanted = torch.autograd.grad(outputs.square().mean() + last.sum(), [*leaves, h, c])
    found = torch.autograd.grad(hidden.square().mean() + cells[:, -1].sum(), [*leaves, h, c])
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-6, rtol=1e-5)


def test_a_step_follows_the_formulae():
    """Oracle: the six lines at the head of the file, in float64, one number at a time."""
    weights = LSTMWeights(*(torch.randn(s, dtype=torch.float64) for s in ((4 * W, E), (4 * W, W), (4 * W,))))
    x, h, c = (torch.randn(1, n, dtype=torch.float64) for n in (E, W, W))
    found, after = lstm_step(x, LSTMState(h, c), weights)
    for k in range(W):
        sums = [
            weights.input[row] @ x[0] + weights.recurrent[row] @ h[0] + weights.bias[row] for row in range(k, 4 * W, W)
        ]
        i, f, o = (1 / (1 + torch.exp(-sums[n])) for n in (0, 1, 3))
        g = torch.tanh(sums[2])
        cell = f * c[0, k] + i * g
        wanted = torch.stack([i, f, g, o, cell, o * torch.tanh(cell)])
        values = (*named(found).values(), after.cell, after.hidden)
        torch.testing.assert_close(torch.stack([v[0, k] for v in values]), wanted)


def test_gates_rebuild_what_the_steps_did():
    """From the fused kernel's hidden states; oracle: `lstm_step`, position after position."""
    layer = nn.LSTM(E, W, batch_first=True)
    x, start = torch.randn(B, T, E), LSTMState(*torch.randn(2, B, W))
    hidden, _ = layer(x, (start.hidden[None], start.cell[None]))
    found, cells = gates(x, hidden, start, LSTMWeights.of(layer))
    *wanted, oracle_hidden, oracle_cells = walk(x, start, LSTMWeights.of(layer))
    for value, oracle in zip(named(found).values(), wanted, strict=True):
        torch.testing.assert_close(value, oracle, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(cells, oracle_cells, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.output * cells.tanh(), oracle_hidden, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_padded_stack_equals_torch_with_packed_sequences(layers, bidirectional):
    """Oracle: torch.nn.LSTM over pack_padded_sequence, outputs, last states, all gradients."""
    stack = LSTMStack(E, W, layers, bidirectional=bidirectional)
    oracle = copied(stack, E, layers, bidirectional)
    x = torch.randn(B, T, E, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    found, (outputs, hidden, _) = stack(x, LENGTHS), packed(oracle, y)
    torch.testing.assert_close(found.outputs * real(), outputs, atol=1e-6, rtol=1e-6)
    directions = hidden.unflatten(0, (layers, -1)).transpose(1, 2).flatten(2)  # (layers, B, W2)
    torch.testing.assert_close(torch.stack(found.hidden), directions, atol=1e-6, rtol=1e-6)
    pull = torch.randn_like(outputs) * real()
    ((found.outputs * pull).sum() + torch.stack(found.hidden).square().sum()).backward()
    ((outputs * pull).sum() + directions.square().sum()).backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-5)
    ours = [p.grad for layer in stack for k in (layer.forwards, layer.backwards) if k for p in k.parameters()]
    theirs = [p.grad for p in oracle.parameters()]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_without_padding_the_stack_needs_no_lengths_and_knows_its_last_cells():
    """Oracle: torch.nn.LSTM with copied weights, in both directions and in one."""
    for bidirectional in (False, True):
        stack = LSTMStack(E, W, 3, bidirectional=bidirectional)
        x = torch.randn(B, T, E)
        outputs, (_, cell) = copied(stack, E, 3, bidirectional)(x)
        found = stack(x)
        torch.testing.assert_close(found.outputs, outputs, atol=1e-6, rtol=1e-6)
        forwards = cell[:: 2 if bidirectional else 1]
        torch.testing.assert_close(torch.stack(found.cells), forwards, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(stack(x, torch.full((B,), T)).outputs, found.outputs)


def test_what_stands_in_the_padding_changes_nothing():
    stack = LSTMStack(E, W, 2, bidirectional=True)
    x = torch.randn(B, T, E)
    other = torch.where(real(), x, 1e3 * torch.randn(B, T, E))
    results = []
    for filled in (x, other):
        leaf = filled.clone().requires_grad_()
        stack.zero_grad()
        found = stack(leaf, LENGTHS)
        ((found.outputs * real()).square().sum() + found.hidden[0].sum()).backward()
        grads = [p.grad.clone() for p in stack.parameters()]
        results.append((found.outputs.detach() * real(), found.hidden[1].detach(), leaf.grad, grads))
    torch.testing.assert_close(results[0], results[1], atol=1e-6, rtol=1e-6)
    assert results[0][2].masked_select(~real()).count_nonzero() == 0


def test_a_sequence_may_be_read_in_two_parts():
    """The states after the first part are all that the second one needs: this is what streaming does."""
    stack = LSTMStack(E, W, 2)
    x = torch.randn(B, T, E)
    whole, first = stack(x).outputs, stack(x[:, :3])
    states = tuple(LSTMState(h, c) for h, c in zip(first.hidden, first.cells, strict=True))
    torch.testing.assert_close(stack(x[:, 3:], start=states).outputs, whole[:, 3:], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("backward", [False, True])
def test_gates_of_a_stack_stand_at_the_positions_of_the_text(layer, backward):
    """Oracles: `lstm_step` on each row alone, turned by hand; torch's cells at the end of each row."""
    stack = LSTMStack(E, W, 2, bidirectional=True)
    x = torch.randn(B, T, E)
    found, cells = stack.gates(x, LENGTHS, layer, backward)
    lower = stack(x, LENGTHS).outputs if layer == 0 else next(iter(stack))(x, turning(LENGTHS, T), None)[0]
    kernel = [*stack][layer].backwards if backward else [*stack][layer].forwards
    for b, length in enumerate(LENGTHS.tolist()):
        row = (x if layer == 0 else lower)[b : b + 1, :length]
        row = row.flip(1) if backward else row
        *wanted, _, oracle_cells = walk(row, LSTMState.zeros(row[:, 0], W), LSTMWeights.of(kernel))
        for value, oracle in zip((*named(found).values(), cells), (*wanted, oracle_cells), strict=True):
            oracle = oracle.flip(1) if backward else oracle
            torch.testing.assert_close(value[b : b + 1, :length], oracle, atol=1e-6, rtol=1e-5)
    _, _, last = packed(copied(stack, E, 2, True), x)
    ends = cells[:, 0] if backward else cells[torch.arange(B), LENGTHS - 1]
    torch.testing.assert_close(ends, last[2 * layer + backward], atol=1e-6, rtol=1e-5)


def test_a_stack_of_one_direction_has_no_backward_gates():
    with pytest.raises(ValueError, match="forwards only"):
        LSTMStack(E, W, 1).gates(torch.randn(B, T, E), None, 0, backward=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=1, max_size=6))
def test_rows_turn_by_their_own_length_and_back(lengths):
    longest = max(lengths)
    x = torch.arange(len(lengths) * longest * 2.0).view(len(lengths), longest, 2).requires_grad_()
    order = turning(torch.tensor(lengths), longest)
    y = turned(x, order)
    for row, new, length in zip(x, y, lengths, strict=True):
        assert torch.equal(new[:length], row[:length].flip(0))
        assert torch.equal(new[length:], row[length:])
    assert torch.equal(turned(y, order), x)
    (y * torch.arange(y.numel()).view_as(y)).sum().backward()
    weights = torch.arange(y.numel(), dtype=x.dtype).view_as(y)
    assert torch.equal(x.grad, turned(weights, order))


def test_dropout_stands_between_layers_only():
    x = torch.randn(B, T, E)
    alone, two = LSTMStack(E, W, 1, dropout=0.5), LSTMStack(E, W, 2, dropout=0.5)
    for stack in (alone, two):
        stack.eval()
    calm = alone(x).outputs, two(x).outputs
    for stack in (alone, two):
        stack.train()
    assert torch.equal(alone(x).outputs, calm[0])
    assert not torch.allclose(two(x).outputs, calm[1])
    assert two(x).outputs.count_nonzero() == two(x).outputs.numel()
    assert torch.equal(two(x).hidden[0], two(x).hidden[0])  # what the lowest layer reads is not dropped


def test_initialisation_keeps_its_table():
    torch.manual_seed(3)
    model = nn.ModuleList([LSTMStack(40, 50, 2, bidirectional=True), nn.Linear(30, 20)])
    initialise(model, forget_bias=1.5)
    kernels = [m for m in model.modules() if isinstance(m, nn.LSTM)]
    assert len(kernels) == 4
    for kernel in kernels:
        w, u, b, b_recurrent = kernel.all_weights[0]
        for gate in u.chunk(GATES):
            torch.testing.assert_close(gate @ gate.t(), torch.eye(50), atol=1e-5, rtol=0)
        bound = (6 / (w.shape[1] + 50)) ** 0.5  # uniform of Glorot & Bengio 2010, eq. 16
        for gate in w.chunk(GATES):
            assert gate.abs().max() <= bound
            torch.testing.assert_close(gate.std(), torch.tensor(bound / 3**0.5), atol=0, rtol=0.1)
        i, f, g, o = (b + b_recurrent).chunk(GATES)
        torch.testing.assert_close(f, torch.full((50,), 1.5))
        assert torch.cat([i, g, o]).count_nonzero() == 0
    assert model[1].bias.count_nonzero() == 0


def test_chrono_initialisation_spreads_the_time_scales():
    """Forgetting rates 1 - f lie between 1 / 2 and 1 / T, and as much is written: i = 1 - f."""
    span = 200
    stack = LSTMStack(3, 300, 5)
    initialise(stack, chrono=span)
    biases = [LSTMWeights.of(layer.forwards).bias.view(GATES, -1) for layer in stack]
    i, f, g, o = torch.cat(biases, 1)  # (1500,) each
    forgetting = 1 - f.sigmoid()
    assert forgetting.max() <= 0.5 + 1e-6
    assert forgetting.min() >= 1 / span - 1e-6
    torch.testing.assert_close(i.sigmoid(), forgetting)
    assert torch.cat([g, o]).count_nonzero() == 0
    # uniform time scales: exp(b_f) has the mean and the spread of U(1, T - 1)
    torch.testing.assert_close(f.exp().mean(), torch.tensor(span / 2.0), atol=0, rtol=0.05)
    torch.testing.assert_close(f.exp().std(), torch.tensor((span - 2) / 12**0.5), atol=0, rtol=0.05)


def test_settings_refuse_what_contradicts():
    assert list(LSTMSettings().faults()) == []
    assert list(LSTMSettings(chrono=100).faults()) == []
    assert "--model.chrono 1" in str(next(LSTMSettings(chrono=1).faults()))
    assert "since both set the bias" in str(next(LSTMSettings(chrono=50, forget_bias=2.0).faults()))
    assert LSTMSettings(width=64).token_width == 64
    assert LSTMSettings(width=64, embedding_width=30).token_width == 30


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_runs_in_bf16(bidirectional):
    """Oracle: the same weights in fp32. Loose, since every state is rounded to 8 bits."""
    stack = LSTMStack(E, W, 2, bidirectional=bidirectional)
    x = torch.randn(B, T, E)
    wanted = stack(x, LENGTHS).outputs * real()
    stack.bfloat16()
    found = stack(x.bfloat16(), LENGTHS).outputs * real()
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, atol=0.03, rtol=0.03)
    found.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in stack.parameters())
