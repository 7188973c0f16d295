"""What this machine can do at most: matrix products and memory. The floor that other benchmarks are held against."""

import torch

from _work import tell, timed

for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
    for m, k, n in ((512, 512, 512), (2048, 2048, 2048), (4096, 256, 1024), (4096, 256, 8000), (64, 256, 1024)):
        a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
        out = torch.empty(m, n, dtype=dtype)
        seconds = timed(lambda a=a, b=b, out=out: torch.mm(a, b, out=out))
        tell(bench="machine", product=f"{m}x{k}x{n}", dtype=name, gflops=2 * m * k * n / seconds / 1e9)
source = torch.empty(2**26)
seconds = timed(lambda: source.clone())
tell(bench="machine", copy_gb_s=2 * source.numel() * 4 / seconds / 1e9, threads=torch.get_num_threads())
