"""The example of docs/verbs/stats.md runs and shows what it says: both methods gain, and the test says so."""

import importlib.util
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "why_standardize.py"


def test_standardizing_helps_both_methods(capsys):
    spec = importlib.util.spec_from_file_location("why_standardize", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    answers = example.main()
    assert [answer.better for answer in answers] == ["yes", "yes"]
    assert all(answer.interval[0] > 10 and answer.n == 178 for answer in answers)
    out = capsys.readouterr().out
    assert out.count("standardized is better than raw: accuracy +") == 2
