"""Which kernel of attention is faster at which length, forward and backward: why `UNFUSED_UP_TO` says what it says."""

import torch

from _work import tell, timed
from seqwise.models import attention as part

for dtype in (torch.float32, torch.bfloat16):
    for sentences, length in ((315, 13), (170, 24), (64, 64), (16, 256), (8, 512), (4, 1024)):
        shape = (sentences, 4, length, 64)
        q, k, v = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(3))
        up = torch.randn(shape, dtype=dtype)
        found = {}
        for name, limit in (("fused", 0), ("two_products", 10**9)):
            part.UNFUSED_UP_TO[dtype] = limit
            call = lambda q=q, k=k, v=v, up=up: part.attention(q, k, v, part.CAUSAL).backward(up)  # noqa: E731
            found[f"{name}_ms"] = 1e3 * timed(call)
        ratio = found["fused_ms"] / found["two_products_ms"]
        tell(
            bench="attention", dtype=str(dtype).split(".")[1], length=length, sentences=sentences, **found, ratio=ratio
        )
