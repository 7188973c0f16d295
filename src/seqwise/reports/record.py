"""The verdict as verdict.json: plain values that other programs read; docs/verdict.schema.json says what is in it.

The version grows when something is renamed, removed or means something else; what is only added leaves it as it is.
What is not finite is a text: "inf", "-inf", "nan", as JSON has no numbers for it.
"""

from dataclasses import fields
from typing import Any

from seqwise.stats.results import plain
from seqwise.verdict.verdict import VERSION, Verdict

KIND = "seqwise verdict"


def to_json(verdict: Verdict) -> dict[str, Any]:
    """Plain values, all of them; `json.dumps(..., allow_nan=False)` takes them."""
    told = {one.name: plain(getattr(verdict, one.name)) for one in fields(verdict) if one.name != "findings"}
    found = [one.to_dict() for one in verdict.findings]
    # a test says of itself whether it rejects, wherever it stands
    trends = [{**plain(one), "rise": one.rise.to_dict() if one.rise else None} for one in verdict.trends]
    return {"kind": KIND, "version": VERSION, **told, "trends": trends, "findings": found}
