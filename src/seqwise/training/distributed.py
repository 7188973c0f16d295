"""More than one process: torchrun starts them, DDP or FSDP2 keeps them in step. Alone, everything here does nothing.

Batches are planned globally and each rank takes its rows, so the loss is that of one process with the same batches.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seqwise.models.embeddings import by_rows

PATIENCE = timedelta(hours=24)  # the first rank alone looks at the validation data, and the others wait


@dataclass(frozen=True)
class Group:
    """Which process this is, of how many."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """The one that writes files and speaks."""
        return self.rank == 0

    def sum(self, *numbers: float) -> list[float]:
        """Add up over all ranks; everyone gets the sums."""
        if self.world == 1:
            return list(numbers)
        values = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(values)
        return values.tolist()

    def wait(self) -> None:
        """Until all ranks have come here."""
        if self.world > 1:
            dist.barrier()


@contextmanager
def group(device: torch.device) -> Iterator[Group]:
    """Join the processes that torchrun started, for as long as the block runs."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or "RANK" not in os.environ:
        yield Group()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # collectives use the current device
    # gloo beside nccl, since counters are summed on the CPU
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def replicate(objective: nn.Module, group: Group) -> nn.Module:
    """Every rank holds all weights; gradients of those that are trained are averaged as they come (DDP).

    Buffers are left alone: no step changes them, and those of a quantized model are all of its weights.
    """
    if group.world == 1:
        return objective
    by_rows(objective, sparse=False)  # their numbers differ from rank to rank
    return DistributedDataParallel(objective, broadcast_buffers=False)


def shard(objective: nn.Module, layers: list[nn.Module], dtype: torch.dtype, group: Group) -> nn.Module:
    """Every rank holds a part of each weight, of its gradient and of the optimizer's state (FSDP2). The parts are fp32
    and computed in `dtype`; each layer is gathered when its turn comes."""
    if group.world == 1:
        return objective
    # imported here, since it takes half a second that most commands have no use for
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(objective, mp_policy=policy)
    return objective


@contextmanager
def without_sync(objective: nn.Module, active: bool) -> Iterator[None]:
    """Gradients of this backward pass stay on their rank: more of the same step are to come."""
    if not active:
        yield
    elif isinstance(objective, DistributedDataParallel):
        with objective.no_sync():
            yield
    else:
        toggle = getattr(objective, "set_requires_gradient_sync", None)  # an FSDP2 module, a class made at run time
        if toggle is not None:
            toggle(False)
        try:
            yield
        finally:
            if toggle is not None:
                toggle(True)


def whole(weight: Tensor) -> Tensor:
    """All parts of a sharded tensor; every rank must ask. Others come back as they are."""
    gather = getattr(weight, "full_tensor", None)  # only a DTensor has it, whose module is not imported for its sake
    return weight if gather is None else gather()


def put(weight: Tensor, value: Tensor) -> None:
    """Overwrite a tensor, sharded or not, with a whole one."""
    with torch.no_grad():
        if hasattr(weight, "device_mesh"):
            from torch.distributed.tensor import distribute_tensor

            mesh, placements = weight.device_mesh, weight.placements  # type: ignore[attr-defined]  # of a DTensor
            value = distribute_tensor(value.to(weight.device), mesh, placements)
        weight.copy_(value)
