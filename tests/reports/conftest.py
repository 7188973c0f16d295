"""Verdicts made by hand: one with everything, with hostile names and texts, and one with nothing."""

import math

import pytest

from seqwise.reports.verdicts import verdict_page
from seqwise.stats.results import Assumption, Estimate, Grid, Interval, Test
from seqwise.verdict.changed import Changed, Item, difference
from seqwise.verdict.cost import Cost
from seqwise.verdict.curve import Band, Curve, Point
from seqwise.verdict.findings import Finding, failed, not_run, too_few
from seqwise.verdict.trade import Choice, Trade
from seqwise.verdict.trend import Look, Trend
from seqwise.verdict.verdict import Verdict

HOSTILE = "<script>alert(1)</script> | `@all` [x](javascript:1) \u202e{{ 7 * 7 }}\n# \"'"
REFERENCE = "Prenez deux comprimés après chaque repas."


def measured(name, value, low, high, unit, n, least, p=0.001):
    return Test(
        name=name,
        null="the difference is 0 in all items of this kind",
        symbol="gained - lost" if "McNemar" in name else "t",
        statistic=22.0 if "McNemar" in name else 3.21,
        df=() if "McNemar" in name else (399.0,),
        p=p,
        n=n,
        effect=Estimate("tuned minus base", value, Interval(low, high), unit),
        why="the same items twice, each right or wrong: only those that change tell the two apart",
        assumptions=(
            Assumption("independent items", None, "The data cannot tell; --cluster names what belongs together."),
        ),
        detectable=Estimate("found four times in five", least, None, unit),
        notes=("34 items gained, 12 lost; Tango's score interval.",),
    )


def item(name, base, tuned, before, after):
    text = "Take two tablets after each meal, and no more than eight a day."
    return Item(name, text, REFERENCE, base, tuned, before, after, difference(base, tuned))


def changes(hostile):
    return Changed(
        "test", "LoRA", 34, 12, 354,
        best=(item("t-017", "Prendre deux tables après chaque repas.", REFERENCE, 0.21, 0.97),
              item("t-203", "他是一个老师。", "她是一名医生。", 0.31, 0.84)),
        worst=(item("t-118", "Le patient tousse depuis trois jours, sans fièvre.", f"Le patient tousse {hostile}",
                    0.92, 0.38),
               item("t-005", "", "", 1.0, 0.0)),
    )  # fmt: skip


def findings(hostile):
    items = {"items": 400, "seeds": 3}
    mcnemar = measured("McNemar's mid-p test", 5.5, 2.1, 8.9, "points", {"items": 400}, 4.6)
    kept = measured("McNemar's mid-p test", -0.4, -1.1, 0.3, "points", {"items": 2000}, 1.0, 0.4)
    lost = measured("paired t test", 0.21, 0.12, 0.30, "nats a token", {"items": 812, "clusters": 40}, 0.13)
    return (
        Finding("gain", "test", "MEASURED", "Better on test by 5.5 points (95 % 2.1 to 8.9).", "yes", "LoRA", mcnemar,
                scores={hostile or "base": 71.2, "LoRA": 76.7}),
        Finding("generalization", "SST-2", "MEASURED", "Nothing beyond 2 points was lost on SST-2.", "no", "LoRA", kept,
                2.0, scores={hostile or "base": 91.0, "LoRA": 90.6},
                grids=(Grid("Flips", ("flip", "items"), (("won", 21), ("lost", 29))),)),
        Finding("generalization", hostile or "wiki", "MEASURED", "Text of other kinds became less likely.", "yes",
                "LoRA", lost, 0.05, values={"measure": "loss"}, scores={hostile or "base": 3.1, "LoRA": 3.31}),
        Finding("overfitting", "journal", "MEASURED", "Validation turned at step 900.", "yes", "LoRA"),
        Finding("data", "train", "MEASURED", "Twice the data would lower the error rate by 0.9 points.", "yes", "LoRA",
                measured("bootstrap of the curve", 0.9, 0.3, 1.6, "points", {"trainings": 15}, 0.8)),
        Finding("cost", "training", "MEASURED", "It took 12 min and 0.02 EUR.", None, "LoRA"),
        Finding("luck", "test", "MEASURED", "Three seeds agree.", "no", "LoRA",
                measured("seeds and items", 5.2, 1.0, 9.4, "points", items, 5.6, 0.02)),
        not_run("trade", "blend", "--blend was not given.", "LoRA"),
        Finding("rival", "tf-idf", "MEASURED", "Not shown to beat tf-idf.", "cannot tell", "LoRA",
                measured("McNemar's mid-p test", 1.2, -1.9, 4.3, "points", {"items": 400}, 4.4, 0.44),
                needed="some 2,600 items more would tell"),
        failed("rival", "naive", ValueError(f"no forecast in {hostile or 'a file'}"), "LoRA"),
        Finding("systems", "full", "MEASURED", "LoRA is better than full on test.", "yes", "LoRA",
                measured("McNemar's mid-p test", 2.4, 0.5, 4.4, "points", {"items": 400}, 3.0, 0.01), 1.0,
                scores={"full": 74.3, "LoRA": 76.7},
                values={"p by Holm": 0.01, "p of unchanged by Holm": 0.9, "set": "test"}),
        Finding("changed", "test", "MEASURED", "34 of 400 items won, 12 lost.", None, "LoRA",
                values={"won": 34, "lost": 12, "same": 354}),
        Finding("changed", "test, length short", "MEASURED", "On short ones 6.1 points.", None, "LoRA",
                measured("McNemar's mid-p test", 6.1, 1.2, 11.0, "points", {"items": 210}, 7.0, 0.01),
                values={"slice": "length", "label": "short", "items": 210, "p, Holm": 0.02}),
        Finding("changed", "test, length long", "MEASURED", "On long ones 4.2 points.", None, "LoRA",
                measured("McNemar's mid-p test", 4.2, -0.9, 9.3, "points", {"items": 180}, 7.4, 0.11),
                values={"slice": "length", "label": "long", "items": 180, "p, Holm": 0.11}),
        Finding("changed", "test, source web", "TOO FEW", "10 items, too few.", None, "LoRA",
                values={"slice": "source", "label": hostile or "web", "items": 10}),
        too_few("luck", "seeds", "One seed.", "full"),
    )  # fmt: skip


def curve():
    sizes, errors = (100, 200, 400, 800, 1600), (0.30, 0.2414, 0.2, 0.1707, 0.15)
    points = tuple(
        Point(n, seed, 100 * error + shift)
        for n, error in zip(sizes, errors, strict=True)
        for seed, shift in enumerate((-0.9, 0.2, 0.8))
    )
    band = []
    for step in range(41):
        n = 100 * 32 ** (step / 40)
        middle, half = 10 + 200 / math.sqrt(n), 0.7 + 0.5 * (n / 1600) ** 0.8
        band.append(Band(n, middle, Interval(middle - half, middle + half)))
    gain = Estimate("e(N) - e(2N)", 1.46, Interval(0.4, 2.5), "points")
    return Curve(
        "error rate", "points", points, 200.0, 0.5, 10.0, True, gain, tuple(band), ("c is weakly identified.",)
    )


def trend():
    looks = tuple(
        Look(step, 1.1 + 0.9 * math.exp(-step / 250) + max(0, step - 700) / 4000, 0.5 + 1.6 * math.exp(-step / 420))
        for step in range(100, 2001, 100)
    )
    return Trend("LoRA", 1, looks, 700, 1200, Interval(0.61, 0.83), 0.65)


def trade():
    def choice(name, alpha, gain, loss, **more):
        one, other = Interval(gain - 1.4, gain + 1.4), Interval(loss - 0.6, loss + 0.6)
        return Choice(
            name, alpha, Estimate("gain", gain, one, "points"), Estimate("loss", loss, other, "points"), **more
        )

    return Trade("validation", (
        choice("base", 0.0, 0.0, 0.0, front=True),
        choice("blend 0.3", 0.3, 3.9, 0.1, front=True),
        choice("blend 0.6", 0.6, 5.2, 0.3, front=True, chosen=True),
        choice("LoRA", 1.0, 5.5, 1.4, front=True),
        choice("full", None, 5.1, 3.2),
    ), "accuracy", "points")  # fmt: skip


def made(hostile=""):
    return Verdict(
        worth="at a price",
        sentence="Better, at a price: LoRA is better than base on test by 5.5 points (95 % interval 2.1 to 8.9, 400 "
        f"items); it has lost 0.21 nats a token on {hostile or 'wiki'} (95 % interval 0.12 to 0.30, 812 items in 40 "
        "groups); 3 seeds.",
        base=hostile or "base",
        tuned=("LoRA", "full"),
        best="LoRA",
        measure="accuracy",
        findings=findings(hostile),
        not_worse=False,
        curve=curve(),
        trends=(trend(),),
        trade=trade(),
        costs=(
            Cost("LoRA", 1, 731.0, 1390.0, 2.1e9, 884_736, 18_000.0, 700.0, 2.2e9, 1600),
            Cost("full", None, 4210.5, None, 5.2e9, 124_000_000, None, None, None, 1600),
        ),
        price=0.8,
        currency="EUR",
        changed=(changes(hostile),),
        methods=("Right or wrong: McNemar's mid-p test (Fagerland, Lydersen and Laake 2013), Tango's interval (1998).",
                 "General sets: non-inferiority against the margin; Holm (1979) over the sets."),
        facts={"test": "test.jsonl, signature 0123456789abcdef", "command": f"seqwise weigh {hostile}"},
        notes=("The margin of 2 points is the default.",),
    )  # fmt: skip


@pytest.fixture(scope="session")
def verdict():
    return made()


@pytest.fixture(scope="session")
def hostile():
    return made(HOSTILE)


@pytest.fixture(scope="session")
def empty():
    return Verdict(
        "cannot tell",
        "Cannot tell whether it was worth it: the gain was not asked.",
        "base",
        ("tuned",),
        "tuned",
        "BLEU",
        (),
    )


@pytest.fixture(scope="session")
def plain_page(verdict):
    return verdict_page(verdict)


@pytest.fixture(scope="session")
def hostile_page(hostile):
    return verdict_page(hostile)
