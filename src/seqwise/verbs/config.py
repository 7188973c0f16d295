"""`seqwise config`: the settings of a training run, shown in full before any run."""

import json
from typing import Any, Literal

from seqwise.config import attempt, schema, take_file, to_yaml
from seqwise.errors import ConfigError


def config(what: Literal["show", "schema"], *flags: str) -> str:
    """Show every setting, as YAML or as JSON Schema.

    `show` prints what a run with these flags would use, every default filled in and explained: a file to
    start from. What such a run would still object to stands in comments on top. `schema` lets an editor
    complete and check that file.

    Args:
        what: `show` for YAML, `schema` for JSON Schema 2020-12.
        flags: With `show`: the file and the flags that `seqwise train` would get. A first word `forecast` asks for the
            settings of `seqwise train forecast`.

    Example:
        seqwise config show --model.width 512 > translator.yaml
    """
    from seqwise.tasks import Train  # late: imports the rooms, which the command line's own help need not

    kind: type[Any] = Train
    if flags and flags[0] == "forecast":
        from seqwise.tasks.forecasting import Forecast

        kind, flags = Forecast, flags[1:]
    if what == "schema":
        if flags:
            raise ConfigError(f"the word {flags[0]}", "none after schema, or forecast", "seqwise config schema")
        return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"
    settings, faults = attempt(kind, *take_file(flags))
    if settings is None:
        raise ConfigError.of(faults)
    return "".join(f"# not ready: {fault}\n" for fault in faults) + to_yaml(settings, comments=True)
