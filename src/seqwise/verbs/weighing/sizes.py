"""Would more data help? The curve over the trials on fractions, and what else may hold it down: labels, duplicates."""

from dataclasses import replace
from pathlib import Path

from seqwise.checkpoints.run import RunFolder
from seqwise.errors import MissingExtraError, SeqwiseError
from seqwise.tasks.tuning.items import read_all
from seqwise.tasks.tuning.stored import is_tuned, read_tune
from seqwise.verbs.weighing import trying
from seqwise.verbs.weighing.asking import Terms, tried
from seqwise.verbs.weighing.contenders import FORECAST, TEST, Field
from seqwise.verbs.weighing.request import Request
from seqwise.verbs.weighing.trying import Tried
from seqwise.verdict.curve import Curve, enough_data
from seqwise.verdict.findings import Finding, not_run, too_few
from seqwise.verdict.plateau import explained
from seqwise.verdict.scored import Measure


def enough(
    request: Request, terms: Terms, found: Field, table: Tried | None, measure: Measure
) -> tuple[Finding, Curve | None]:
    """The answer, of the first method, and the curve behind it."""
    name = found.tuned[0].name
    if found.task == FORECAST:
        why = "Fractions of the data are tried with runs of seqwise tune only; no forecaster is trained here."
        return not_run("data", TEST, why, name), None
    if table is None or not request.curve:
        return not_run("data", TEST, "Nobody asked for trials on fractions of the data, --curve.", name), None
    points, kind, note = trying.points_of(table, found.tuned[0].method)
    if kind is None:
        return too_few("data", TEST, "No trial on a fraction of the data ended well.", name), None
    least = terms.least if terms.least is not None else terms.margins.of(found.base.parts[TEST][0])
    title = kind.name if kind.lower else f"100 - {kind.name}"
    curves: list[Curve | None] = [None]

    def told() -> Finding:
        finding, curves[0] = enough_data(points, measure=title, unit=measure.unit, least=least, system=name)
        return finding

    answer = tried("data", TEST, name, told)
    answer = replace(answer, notes=(*answer.notes, note)) if note else answer
    return (answer if answer.answer == "yes" else _explained(answer, found.tuned[0].runs)), curves[0]


def _explained(answer: Finding, runs: tuple[str, ...]) -> Finding:
    """The answer with what may explain a plateau: wrong labels and duplicates among the training examples."""
    run = next((one for one in runs if is_tuned(one)), None)
    if run is None:
        return answer
    try:
        settings = read_tune(RunFolder.open(Path(run)))
        if settings.task != "classify":
            return answer
        train = read_all(settings).train
        plateau = explained(train.texts, train.wanted)
    except MissingExtraError as error:
        return replace(answer, notes=(*answer.notes, f"Labels were not judged: {error}"))
    except (SeqwiseError, OSError, ValueError) as error:
        return replace(answer, notes=(*answer.notes, f"Labels could not be judged: {error}"))
    return replace(answer, notes=(*answer.notes, *plateau.sentences()), grids=(*answer.grids, *plateau.grids()))
