"""LoRA on an LSTM: both of its weights get a pair (A, B), and W + s B A is made once for a whole pass.

    input        W   (4 W, E)    weight_ih
    recurrent    U   (4 W, W)    weight_hh

So the fused kernel stays, which is what makes an LSTM fast; and what reads the weights itself (a decoder with input
feeding, the gates that someone looks at) finds the adapted ones. The gradient of the full weight is made on the way to
those of A and B, since the kernel gives no other; none is made for the frozen weight. Dropout on what the A read is
left out for the same reason: there is no product of its own.

DoRA works as in `lora_layers`. Other libraries adapt no LSTM, so these adapters have no format but ours.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from seqwise.models.lora_pairs import Pairs, Part, Slot

WEIGHTS = ("weight_ih", "weight_hh")


def parts_of(name: str, layer: nn.LSTM) -> tuple[Part, ...]:
    """Both weights of a layer that stands under this name."""
    return tuple(Part(f"{name}.{weight}", 0, 4 * layer.hidden_size) for weight in WEIGHTS)


class LoraLSTM(Pairs, nn.LSTM):
    """One layer in one direction with adapters on it; takes the place of a `torch.nn.LSTM` and has its parameters."""

    def __init__(self, base: nn.LSTM) -> None:
        odd = base.num_layers != 1 or base.bidirectional or base.proj_size or not base.bias
        if odd or not base.batch_first:
            raise TypeError("one layer, one direction, sentences first, with biases and without projection")
        with torch.device("meta"):
            super().__init__(base.input_size, base.hidden_size, batch_first=True)
        for name, weight in list(base.named_parameters()):
            setattr(self, name, weight)
        self._start()

    def frozen(self, slot: Slot) -> Float[Tensor, "O I"]:
        """The weight of the input or the recurrent one."""
        return self.get_parameter(f"{slot.part.leaf}_l0")

    def reads(self, slot: Slot) -> tuple[int, torch.device]:
        """The width of the input or of the hidden state, and where the weights lie."""
        weight = self.get_parameter(f"{slot.part.leaf}_l0")
        return weight.shape[1], weight.device

    def plain(self) -> nn.LSTM:
        """The layer without adapters."""
        with torch.device("meta"):
            layer = nn.LSTM(self.input_size, self.hidden_size, batch_first=True)
        for name, weight in list(self.named_parameters(recurse=False)):
            setattr(layer, name, weight)
        return layer

    def joined(self, adapter: str, dtype: torch.dtype | None) -> tuple[nn.LSTM, float]:
        """The layer with the adapter in its weights, and the greatest difference between those and the exact sums."""
        layer, error = self.plain(), 0.0
        for slot in self.slots[adapter]:
            frozen = self.frozen(slot).detach()
            exact = self.merged(adapter, frozen, (slot,))
            stored = exact.to(dtype or frozen.dtype)
            error = max(error, float((stored - exact).abs().max()))
            setattr(layer, f"{slot.part.leaf}_l0", nn.Parameter(stored, requires_grad=False))
        return (layer if dtype is None else layer.to(dtype)), error

    def _adapted(self, leaf: str) -> Float[Tensor, "Q E"]:
        """W + s B A, and with the lengths of DoRA; W itself where no adapter answers."""
        frozen = self.get_parameter(f"{leaf}_l0")
        slot = next((one for one in self.slots.get(self.active or "", ()) if one.part.leaf == leaf), None)
        if slot is None or self.active is None:
            return frozen
        down, up, size = self.pair(self.active, leaf)
        changed: Tensor = torch.addmm(frozen, up.to(frozen.dtype), down.to(frozen.dtype), alpha=slot.scale)  # (Q, E)
        if size is None:
            return changed
        lengths = torch.linalg.vector_norm(changed.detach(), 2, 1)  # (Q,)
        stretched: Tensor = changed * (size.to(frozen.dtype) / lengths)[:, None]
        return stretched

    @property
    def all_weights(self) -> list[list[Tensor]]:  # type: ignore[override]  # of tensors that are made, no parameters
        """As of a `torch.nn.LSTM`, adapted. Gradients reach A and B."""
        biases = (self.get_parameter("bias_ih_l0"), self.get_parameter("bias_hh_l0"))
        return [[*(self._adapted(leaf) for leaf in WEIGHTS), *biases]]

    def forward(  # type: ignore[override]  # without torch's packed sequences
        self, x: Float[Tensor, "B S E"], start: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Float[Tensor, "B S W"], tuple[Tensor, Tensor]]:
        """As a `torch.nn.LSTM` answers, by the same kernel."""
        if start is None:
            zero = x.new_zeros(1, len(x), self.hidden_size)
            start = zero, zero
        outputs, hidden, cell = torch.lstm(x, start, self.all_weights[0], True, 1, 0.0, self.training, False, True)
        return outputs, (hidden, cell)
