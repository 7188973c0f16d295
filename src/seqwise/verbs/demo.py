"""demo: the whole way in minutes, on a corpus that Seqwise makes up: train, look inside, tune, weigh."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console, Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from seqwise.checkpoints.run import RunFolder
from seqwise.data.phrasebook import PROBE, Part, office_domain, phrasebook
from seqwise.decoding import Generation
from seqwise.inspection.steps import Step, steps
from seqwise.metrics.scores import Score
from seqwise.metrics.text import bleu
from seqwise.reports.record import to_json
from seqwise.reports.weighed import Weighed
from seqwise.tasks.demonstration import OFFICE, settings, tuning, write_corpus
from seqwise.tasks.stored import open_translator
from seqwise.tasks.translation import Translator
from seqwise.tasks.tuning.stored import open_tuned
from seqwise.verbs.inspect import Inspected, attended
from seqwise.verbs.train import train
from seqwise.verbs.tune import tune
from seqwise.verbs.weighing.asking import tried
from seqwise.verbs.weighing.measures import texts
from seqwise.verdict.gain import gain
from seqwise.verdict.generalization import generalization
from seqwise.verdict.scored import Scored, signed
from seqwise.verdict.sentence import not_worse, sentence, worth
from seqwise.verdict.verdict import Verdict

SHOWN = 4  # training pairs shown
MARGIN = 1.0
"""BLEU that the general sentences may lose: people cannot tell apart what differs by less."""
DOMAIN, GENERAL = "office sentences", "general sentences"


@dataclass(frozen=True)
class Demonstrated:
    """What the demo ended with."""

    run: str
    tuned: str
    data: str
    score: Score
    """Of the translator on sentences that it has not seen."""
    output: str
    """Its translation of the probe."""
    verdict: Verdict
    """Whether tuning was worth it."""

    def __rich__(self) -> Group:
        lines = (
            f"The runs lie in {self.run} and {self.tuned}, their sentences in {self.data}. Try next:",
            f'  seqwise predict {self.run} "She does not like history."',
            f'  seqwise predict {self.tuned} "Print the invoice, please."',
            f'  seqwise inspect {self.run} "These old trees are beautiful."',
            f"  seqwise evaluate {self.run} --test {self.data}/test.en {self.data}/test.fr",
            "  seqwise train --train your.en your.fr --out runs/yours",
        )
        return Group(Weighed(self.verdict), Text(), Text("\n".join(lines)))


@dataclass(frozen=True)
class _Translated:
    """What one of the models made of both tests."""

    office: Scored
    general: Scored


def demo(*, out: Path = Path("runs/demo"), overwrite: bool = True, seed: int = 1) -> Demonstrated:
    """Watch a translator being trained, tuned and weighed on sentences that Seqwise makes up.

    Makes 40,000 English-French pairs from a grammar, learns a vocabulary, trains a small Transformer, scores it on
    sentences it has not seen, and translates one of them step by step. Then it tunes the model on 800 sentences of the
    office, whose words it does not know, and weighs what that gained there against what it lost elsewhere. All of it
    takes four minutes on two cores.

    Args:
        out: Folder of the run; the tuned one and the sentences go beside it.
        overwrite: Replace an earlier run there.
        seed: Of the corpus, the weights and the order.

    Example:
        seqwise demo
    """
    tuned = out.parent / f"{out.name}-office"
    for folder in (out, tuned):
        RunFolder.must_be_free(folder, overwrite)
    console = Console(highlight=False)
    console.print(Rule("1. A corpus, made by a grammar", align="left"))
    book, office = phrasebook(seed=seed), office_domain(seed=seed)
    data = out.parent / f"{out.name}-data"
    files, office_files = write_corpus(book, data), write_corpus(office, data, OFFICE)
    console.print(_pairs(book.train))
    console.print(Rule("2. Training", align="left"))
    console.print(train(settings(files, out, overwrite, seed)))
    console.print(Rule("3. Sentences it has not seen", align="left"))
    translator, made = open_translator([out], "cpu")
    general = _outputs(translator, book.test, made.generation)
    score = bleu(general, book.test.targets)
    console.print(score)
    output = _step_by_step(console, translator, made.generation)
    console.print(Rule("5. Tuning: sentences of the office, whose words it has never met", align="left"))
    console.print(_pairs(office.train))
    base = _Translated(
        _scored("base", DOMAIN, _outputs(translator, office.test, made.generation), office.test, seed),
        _scored("base", GENERAL, general, book.test, seed),
    )
    console.print(tune(tuning(out, files, office_files, tuned, overwrite, seed)))
    console.print(Rule("6. Was it worth it?", align="left"))
    verdict = _weighed(base, _tuned(tuned, office.test, book.test, made.generation, seed), out, tuned)
    RunFolder(tuned).write_json("verdict.json", to_json(verdict))
    return Demonstrated(str(out), str(tuned), str(data), score, output, verdict)


def _outputs(translator: Translator, pairs: Part, made: Generation) -> list[str]:
    return [best[0].text for best in translator.translate(pairs.sources, made)]


def _step_by_step(console: Console, translator: Translator, made: Generation) -> str:
    """Show how the probe is translated; the translation comes back."""
    console.print(Rule(f'4. "{PROBE}", which stands in no training pair, token by token', align="left"))
    ((best, *_),) = translator.translate([PROBE], replace(made, best=1))
    source, target = translator.vocabularies.source, translator.vocabularies.target
    ids = [*source.encode([PROBE])[0], source.eos]
    walked = steps(translator.models[0], ids, [*best.ids, *([target.eos] if best.ended else [])], target.bos)
    console.print(_choices(translator, walked))
    console.print(Inspected(PROBE, best.text, attended(translator, PROBE, best)))
    return best.text


def _pairs(pairs: Part) -> Table:
    """The first few."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for source, target in zip(pairs.sources[:SHOWN], pairs.targets[:SHOWN], strict=True):
        table.add_row(Text(source), Text(target))
    return table


def _choices(translator: Translator, walked: list[Step]) -> Table:
    """What was written at each step, and what might have been."""
    pieces = translator.vocabularies.target.pieces
    table = Table("written", "likeliest tokens", box=None)
    for step in walked:
        named = [f"{pieces([choice.token])[0]} {choice.probability:.3f}" for choice in step.likeliest]
        table.add_row(Text(pieces([step.chosen.token])[0]), Text("   ".join(named)))
    return table


# --- weighing --------------------------------------------------------------------------------------------


def _tuned(run: Path, office: Part, general: Part, made: Generation, seed: int) -> _Translated:
    """The tuned model on both tests."""
    opened = open_tuned(run, "cpu", "fp32")
    if not isinstance(opened, tuple):
        raise TypeError("a translator that was tuned is one still")
    translator, _ = opened
    return _Translated(
        _scored("tuned", DOMAIN, _outputs(translator, office, made), office, seed),
        _scored("tuned", GENERAL, _outputs(translator, general, made), general, seed),
    )


def _scored(system: str, part: str, outputs: Sequence[str], pairs: Part, seed: int) -> Scored:
    """What one system made of a test, counted for BLEU, sentence by sentence."""
    found = texts("bleu", outputs, [[target] for target in pairs.targets])
    ids = tuple(str(number) for number in range(1, len(pairs) + 1))
    data = signed(ids, pairs.targets, pairs.sources)
    told = tuple(outputs), tuple(pairs.targets), tuple(pairs.sources)
    return Scored(system, part, found.measure, ids, found.values, data, seed, *told)


def _weighed(base: _Translated, tuned: _Translated, base_run: Path, tuned_run: Path) -> Verdict:
    """What was gained at the office, and what was lost of the rest."""
    lost = generalization({GENERAL: base.general}, {GENERAL: tuned.general}, MARGIN)
    gained = tried("gain", DOMAIN, tuned.office.system, lambda: gain(base.office, tuned.office))
    findings = (gained, *lost)
    return Verdict(
        worth(findings),
        sentence(findings),
        base.office.system,
        (tuned.office.system,),
        tuned.office.system,
        base.office.measure.name,
        findings,
        not_worse(findings),
        facts={"base": str(base_run), "tuned": str(tuned_run), "task": "translate"},
    )
