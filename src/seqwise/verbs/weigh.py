"""weigh: was it worth it? Base against tuned, each question answered yes, no or cannot tell, and one sentence."""

from json import dumps
from pathlib import Path
from typing import Annotated, Literal

from seqwise.checkpoints.files import make_folder, replacing
from seqwise.config import Range
from seqwise.device import keep_memory
from seqwise.errors import ConfigError
from seqwise.reports.card import card as card_of
from seqwise.reports.markdown import markdown as markdown_of
from seqwise.reports.record import to_json
from seqwise.reports.verdicts import verdict_page
from seqwise.reports.weighed import Weighed
from seqwise.verbs.weighing.contenders import are_files
from seqwise.verbs.weighing.forecasts import are_forecasters
from seqwise.verbs.weighing.margins import Margins
from seqwise.verbs.weighing.measures import Metric
from seqwise.verbs.weighing.request import Method, Request
from seqwise.verbs.weighing.whole import about, weigh_all
from seqwise.verdict.verdict import Verdict

Unless = Literal["worth-it", "not-worse"]
JSON, PAGE = "verdict.json", "verdict.html"
FAILED = 3
"""Exit code where --fail-unless is not met: neither an error of ours nor one of the user's."""


class Printed(str):
    """A text that ends the command with an exit code of its own."""

    exit_code: int

    def __new__(cls, text: str, code: int) -> "Printed":
        """The text, and the code."""
        made = super().__new__(cls, text)
        made.exit_code = code
        return made


def weigh(
    base: str,
    /,
    *tuned: str,
    test: tuple[str, ...] = (),
    general: tuple[str, ...] = (),
    metric: Metric = "auto",
    margin: tuple[str, ...] | float = (),
    least: float | None = None,
    group_by: str | None = None,
    methods: tuple[Method, ...] = (),
    seeds: Annotated[int, Range(1, 1000)] | None = None,
    curve: bool = False,
    recipe: Path | None = None,
    blend: tuple[float, ...] = (),
    valid: tuple[str, ...] = (),
    rivals: bool = True,
    tried: Annotated[int, Range(1)] = 1,
    price_per_hour: Annotated[float, Range(0.0)] | None = None,
    currency: str = "USD",
    workers: Annotated[int, Range(1, 256)] = 1,
    cluster: str | None = None,
    out: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    fail_unless: Unless | None = None,
    markdown: bool = False,
    card: bool = False,
    json: bool = False,
    device: str = "auto",
) -> Weighed | str:
    """Tell whether it was worth it: a base against what became of it, with intervals, margins, power and cost.

    Is it better at the task, has it lost what it could do before, does it overfit, would more data help, what did it
    cost, could it be luck, is there a better trade, does it beat what costs nothing, what changed: each answered yes,
    no or cannot tell, with effect, interval, test, n and what n could have shown. One sentence on top.

    Args:
        base: The untouched model: a run, a folder in the hub's format; or a file of its predictions.
        tuned: What became of it, or other systems; of the same kind. Runs that differ by their seed alone are one
            system with several seeds.
        test: Files of the test set, in the format that the run was tuned on; of forecasters a table.
        general: Files of what the base could do before, each a set of its own; two aligned files with a comma between.
        metric: How items are scored; auto goes by the task, or by the columns of files. Of forecasters mae or crps.
        margin: The loss that would matter, in the unit of the measure: a number for all sets, NAME=NUMBER for one of
            them, such as 1 sst2=0.5; by that of test systems are held against one another. Decide before you look.
        least: The smallest gain that would be useful, in the same unit.
        group_by: Column that says what belongs together: a document, a patient.
        methods: Train and weigh these methods side by side; as the tuned run, or the recipe, was made.
        seeds: Train each so many times.
        curve: Train on nested fractions of the data as well, and foretell what twice the data would give.
        recipe: Settings of seqwise tune for the trials, where no tuned run says them.
        blend: Shares of the tuned weights to try, such as 0.25 0.5 0.75: chosen on validation, tested once.
        valid: Files to choose the share by; the run's own validation examples unless given.
        rivals: Compare with what costs next to nothing.
        tried: Of how many runs this one is the best; allows for the luck of the choice.
        price_per_hour: Of the machine, for the table of costs.
        currency: Of the price.
        workers: Trials at a time on this machine, or on a local cluster.
        cluster: Run the trials on a Ray cluster: the address of its head, or local.
        out: Folder for verdict.json, verdict.html and the trials.
        resume: Go on with the trials in that folder.
        overwrite: Forget the trials and the verdict in that folder.
        fail_unless: End with exit code 3 unless it was worth-it, or is shown to be not-worse.
        markdown: Print it for a pull request.
        card: Print a model card for the hub that carries it.
        json: Print verdict.json.
        device: auto, cpu, cuda or cuda:N.

    Example:
        seqwise weigh models/all-minilm runs/sentiment --test test.tsv --general sst2.tsv --out runs/weighed
    """
    request = Request(
        base, tuned, test, general, metric, Margins.read(margin), least, group_by, methods, seeds, curve, recipe, blend,
        valid, rivals, tried, price_per_hour, currency, workers, cluster, out, resume, overwrite, device,
    )  # fmt: skip
    if markdown + card + json > 1:
        raise ConfigError("several of --markdown, --card and --json", "one of them", "--out, whose folder has all")
    keep_memory()
    words = (base, *tuned)
    request.check(files=are_files(words), forecasters=are_forecasters(words))
    verdict = weigh_all(request)
    written = _write(verdict, out) if out is not None else ""
    code = 0 if _met(verdict, fail_unless) else FAILED
    if not (markdown or card or json):
        return Weighed(verdict, written, code)
    told = dumps(to_json(verdict), indent=1, ensure_ascii=False, allow_nan=False) if json else ""
    told = markdown_of(verdict) if markdown else card_of(verdict, about(request, verdict)) if card else told
    return Printed(told, code) if code else told


def _met(verdict: Verdict, unless: Unless | None) -> bool:
    """Whether what a pipeline asks for is so."""
    if unless == "worth-it":
        return verdict.worth == "worth it"
    return verdict.not_worse is True if unless == "not-worse" else True


def _write(verdict: Verdict, out: Path) -> str:
    """The verdict in its folder: whole files, or none."""
    make_folder(out)
    for name, text in (
        (JSON, dumps(to_json(verdict), indent=1, allow_nan=False) + "\n"),
        (PAGE, verdict_page(verdict)),
    ):
        content = text.encode()
        with replacing(out / name, len(content)) as file:
            file.write(content)
    return str(out / PAGE)
