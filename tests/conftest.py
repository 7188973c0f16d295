"""What every test shares: shapes in signatures are checked while tests run, and torch keeps to one thread."""

from jaxtyping import install_import_hook

ROOMS = ["seqwise.models", "seqwise.data", "seqwise.metrics"]
install_import_hook(ROOMS, "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")
