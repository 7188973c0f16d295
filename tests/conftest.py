"""What every test shares: the shapes in signatures are checked, and each process keeps to one thread."""

import os

from jaxtyping import install_import_hook

# Before torch is imported, here and in what the tests start: two processes of two threads wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Rooms that handle tensors. A function that is given another shape or type than its signature says fails the
# test. Run time never checks. The tower: an int may stand for a float, as mypy has it.
ROOMS = [f"seqwise.{room}" for room in ("models", "data", "metrics", "checkpoints", "inspection")]
install_import_hook(ROOMS, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
