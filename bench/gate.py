"""The gate, measured: how far each checkpoint of tests/checkpoints/tiny.py is from transformers, into docs/gate.json.

python bench/gate.py          the pages that show the numbers are written anew by `python docs/generate.py`
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "checkpoints"))


def main() -> None:
    """Every case, greatest errors over three readings of three padded texts."""
    import tiny
    import transformers

    torch.manual_seed(0)
    found = {}
    for case in tiny.CASES:
        with tempfile.TemporaryDirectory() as folder:
            one = tiny.pair(case, folder)
            logits, gradients = tiny.errors(one)
        architecture = one.checkpoint.architecture
        found[case] = {
            "architecture": architecture,
            "logits": float(f"{logits:.1e}"),
            "gradients": float(f"{gradients:.1e}"),
        }
    worst = {name: max(row[name] for row in found.values()) for name in ("logits", "gradients")}
    told = {"transformers": transformers.__version__, "torch": torch.__version__, "cases": found}
    (ROOT / "docs" / "gate.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"bench": "gate", "cases": len(found), **worst}))


if __name__ == "__main__":
    main()
