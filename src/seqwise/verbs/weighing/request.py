"""What is asked of `seqwise weigh`, and the contradictions in it, refused before anything is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Literal

from seqwise.errors import ConfigError
from seqwise.verbs.weighing.contenders import TEST
from seqwise.verbs.weighing.margins import Margins
from seqwise.verbs.weighing.measures import Metric
from seqwise.verdict.curve import SEEDS

Method = Literal["full", "lora", "qlora"]
MODELS_ONLY = ("test", "general", "methods", "seeds", "curve", "recipe", "blend", "valid", "group_by", "cluster")
"""What means nothing for files of predictions."""
TUNING_ONLY = ("methods", "seeds", "curve", "recipe", "blend", "valid", "group_by", "cluster")
"""What means nothing for runs of `seqwise train forecast`."""


@dataclass(frozen=True)
class Request:
    """The words and flags; the verb tells what each means."""

    base: str
    tuned: tuple[str, ...]
    test: tuple[str, ...]
    general: tuple[str, ...]
    metric: Metric
    margins: Margins
    least: float | None
    group_by: str | None
    methods: tuple[Method, ...]
    seeds: int | None
    curve: bool
    recipe: Path | None
    blend: tuple[float, ...]
    valid: tuple[str, ...]
    rivals: bool
    tried: int
    price_per_hour: float | None
    currency: str
    workers: int
    cluster: str | None
    out: Path | None
    resume: bool
    overwrite: bool
    device: str

    @property
    def trials(self) -> str:
        """The flag that asks for trainings; empty where none does."""
        return next((name for name in ("methods", "seeds", "curve") if getattr(self, name)), "")

    @property
    def sets(self) -> Mapping[str, tuple[str, ...]]:
        """The test set first, then each general one by the name of its file."""
        found = {TEST: self.test}
        for word in self.general:
            paths = tuple(part for part in word.split(",") if part) or (word,)
            name = Path(paths[0]).name.removesuffix(".gz").split(".")[0]
            found[name if name not in found else f"{name} {len(found)}"] = paths
        return found

    def check(self, *, files: bool, forecasters: bool = False) -> None:
        """Refuse what contradicts itself. files: whether the words are files of predictions; forecasters: runs."""
        if forecasters:
            allowed = "--test, --general, --metric, --margin, --least and what says where the answer goes"
            self._refused(TUNING_ONLY, "forecasters", allowed)
        if not self.tuned and (files or not self.trials):
            mend = "seqwise weigh BASE TUNED, or --seeds 3 --recipe tune.yaml --out runs/weighed"
            raise ConfigError(f"{self.base} alone", "two systems", mend)
        places = [Path(one).resolve() for one in (self.base, *self.tuned)]
        for place, one in zip(places[1:], self.tuned, strict=True):
            if places.count(place) > 1:
                raise ConfigError(f"{one} twice", "different systems", "leaving one out")
        if files:
            if self.group_by is not None:
                given, allowed = "--group-by beside files of predictions", "a column cluster in the files"
                raise ConfigError(given, allowed, f"calling the column {self.group_by} cluster there")
            self._refused(MODELS_ONLY, "files of predictions", "the columns id, set, seed and cluster in the files")
        elif not self.test:
            raise ConfigError("no --test", "the files to measure the gain on", "--test test.tsv")
        self._folder()
        if self.trials and len(self.tuned) > 1:
            allowed = "one run at most, which says how trials are made"
            raise ConfigError(
                f"--{self.trials} with {len(self.tuned)} tuned models", allowed, "leaving out all but one"
            )
        if self.curve and self.seeds is not None and self.seeds < SEEDS:
            allowed = f"{SEEDS} seeds or more, as the luck of the training would bend the curve"
            raise ConfigError(f"--curve with --seeds {self.seeds}", allowed, "--seeds 3")
        if both := set(self.valid) & {path for paths in self.sets.values() for path in paths}:
            given = f"{sorted(both)[0]} to choose the share of --blend by, and to test it"
            raise ConfigError(given, "files for --valid that nothing else is asked of", "leaving out --valid")
        if not files:
            self.margins.must_name(self.sets)
        if self.least is not None and not 0 < self.least < inf:
            raise ConfigError(f"--least {self.least:g}", "a gain above 0", "leaving it out, for any gain")

    def _refused(self, names: Sequence[str], what: str, allowed: str) -> None:
        for name in names:
            if getattr(self, name):
                flag = "--" + name.replace("_", "-")
                raise ConfigError(f"{flag} beside {what}", allowed, "leaving it out")

    def _folder(self) -> None:
        """Where trials go, and whether it is free."""
        out = self.out
        if self.trials and out is None:
            raise ConfigError(f"--{self.trials} without --out", "a folder for the trials", "--out runs/weighed")
        for name in () if self.trials else ("recipe", "cluster", "resume"):
            if getattr(self, name):
                allowed = "trials, by --methods, --seeds or --curve"
                raise ConfigError(f"--{name} without trials", allowed, "leaving it out")
        if self.resume and self.overwrite:
            raise ConfigError(
                "--resume with --overwrite", "one of them", "--resume to go on, --overwrite to begin anew"
            )
        if out is None:
            return
        if out.is_file():
            raise ConfigError(f"--out {out}, which is a file", "a folder", f"--out {out}-weighed")
        if out.is_dir() and any(out.iterdir()) and not (self.resume or self.overwrite):
            mend = "--resume to go on, --overwrite to begin anew" if self.trials else "--overwrite, or another folder"
            raise ConfigError(f"--out {out}, which has content", "a new folder", mend)
