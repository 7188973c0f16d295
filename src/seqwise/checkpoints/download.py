"""From a name to a folder: a checkpoint that lies here is taken as it is, any other is fetched from the hub.

What is fetched: config, weights in safetensors, tokenizer, chat template; never pickled weights, never code. It goes
into the cache of huggingface_hub (HF_HOME), where a second run and one without a network find it.

Left out: uploading, logging in, models that lie in a folder inside of a repository.
"""

import errno
import logging
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqwise.errors import CheckpointError, nearest

WANTED = (
    "config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json", "modules.json",
    "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json",
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.txt", "vocab.json", "target_vocab.json", "merges.txt", "*.spm", "spiece.model", "sentencepiece.bpe.model",
    "tokenizer.model", "chat_template.jinja", "chat_template.json",
)  # fmt: skip
"""Patterns of the files that are fetched, but for the way of pooling all in the folder itself."""
DEEPER = (
    "[!1]*/*",
    "1[!_]*/*",
)  # a star of the hub's patterns also stands for a slash: folders are other formats of the same model
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)
NETWORK = ("ConnectError", "ConnectTimeout", "ReadTimeout", "ConnectionError", "Timeout", "OfflineModeIsEnabled")
"""Errors that mean there is no network, by name: huggingface_hub changed its HTTP library, and may again."""


def locate(name: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `name` where that is a folder, else what the hub has under it, fetched if need be.

    revision   branch, tag or commit of the hub; what is meant to be computed again names a commit
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            given = f"--revision {revision} with {name}, which is a folder here"
            raise CheckpointError(given, "owner/name on the hub", "leaving --revision out, or another working folder")
        return folder
    if folder.exists():
        raise CheckpointError(
            given=f"{name}, which is a file",
            allowed="the folder of a checkpoint, or owner/name on the hub",
            mend=str(folder.parent),
        )
    if not REPOSITORY.fullmatch(name) or ".." in name or name.startswith("."):
        raise _no_folder(folder, name)
    return _fetch(name, revision, folder)


def _fetch(name: str, revision: str | None, folder: Path) -> Path:
    import huggingface_hub  # half a second, and only here
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        with _quiet():
            found = huggingface_hub.snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(WANTED),
                ignore_patterns=list(DEEPER),
                library_name="seqwise",
            )
    except HFValidationError:
        raise _no_folder(folder, name) from None
    except (HfHubHTTPError, OSError, RuntimeError, ValueError) as error:
        raise _refused(error, name, revision, folder) from None
    return _whole(Path(found), name)


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars where nobody watches, and no warnings of what the error says anyhow."""
    from huggingface_hub.utils.logging import get_verbosity, set_verbosity
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    bars, verbosity = not are_progress_bars_disabled(), get_verbosity()
    set_verbosity(logging.ERROR)
    if bars and not sys.stderr.isatty():
        disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        set_verbosity(verbosity)
        if bars:
            enable_progress_bars()


def _whole(found: Path, name: str) -> Path:
    """A repository may hold something else than a model, or a model in another format."""
    if not (found / "config.json").is_file():
        raise CheckpointError(
            given=f"{name} on the hub without config.json",
            allowed="a checkpoint in the format of transformers",
            mend="the repository of the model itself; adapters and GGUF files are others",
        )
    if not any(found.glob("*.safetensors")):
        raise CheckpointError(
            given=f"{name} on the hub without safetensors files",
            allowed="weights that no code runs to open",
            mend="--revision refs/pr/N, if a pull request there has converted them, or another copy of the model",
        )
    return found


def _no_folder(folder: Path, name: str) -> CheckpointError:
    beside = folder.parent
    close = _beside(folder)
    mend = str(close) if close else f"ls {beside if beside.is_dir() else '.'}"
    return CheckpointError(
        given=f"no folder {name}", allowed="a folder that is there, or owner/name on the hub", mend=mend
    )


def _beside(folder: Path) -> Path | None:
    """A folder whose name the given one was probably meant to be."""
    try:
        names = [path.name for path in folder.parent.iterdir() if path.is_dir()]
    except OSError:
        return None
    close = nearest(folder.name, names)
    return folder.parent / close if close else None


def _refused(error: Exception, name: str, revision: str | None, folder: Path) -> CheckpointError:
    """The one line for what the hub, the network or the disk said."""
    from huggingface_hub import errors

    for cause in _causes(error):
        match cause:
            case errors.GatedRepoError():
                return CheckpointError(
                    given=f"{name}, whose owners give it to those they know only",
                    allowed="their consent, and a token that proves it",
                    mend=f"asking on the page of {name}, then HF_TOKEN=hf_... or `hf auth login`",
                )
            case errors.RevisionNotFoundError():
                return CheckpointError(
                    given=f"revision {revision} of {name}, which the hub does not have",
                    allowed="a branch, a tag or a commit of it",
                    mend="--revision main",
                )
            case errors.RepositoryNotFoundError():
                close = _beside(folder)
                here = f"{close}, a folder here, or " if close else ""
                return CheckpointError(
                    given=f"no folder {name}, and the hub knows no such model",
                    allowed="a folder that is there, or owner/name of a model that you may read",
                    mend=f"{here}the name as its page on the hub has it; a private one needs HF_TOKEN",
                )
            case OSError() if cause.errno in (errno.ENOSPC, errno.EDQUOT):
                return _no_room(name)
    for cause in _causes(error):
        if type(cause).__name__ in NETWORK:
            return _no_network(name, revision)
    return _failed(error, name)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _no_network(name: str, revision: str | None) -> CheckpointError:
    from huggingface_hub import constants

    which = f"{name} at {revision}" if revision else name
    offline = "HF_HUB_OFFLINE=0, " if constants.HF_HUB_OFFLINE else ""
    return CheckpointError(
        given=f"no folder {name}, and {_endpoint()} cannot be reached to fetch it",
        allowed=f"a network, or {which} in the cache {_cache()}",
        mend=f"{offline}a local folder, HF_HOME with a cache filled elsewhere, or HF_ENDPOINT of a mirror",
    )


def _no_room(name: str) -> CheckpointError:
    cache = Path(_cache())
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    return CheckpointError(
        given=f"{name} does not fit into {cache}: {shutil.disk_usage(there).free / 10**9:.1f} GB are free",
        allowed="room for the weights",
        mend="HF_HOME on a larger disk, or freeing room; what is fetched already is kept",
    )


def _failed(error: Exception, name: str) -> CheckpointError:
    responses: list[Any] = [getattr(cause, "response", None) for cause in _causes(error)]
    status = next((response.status_code for response in responses if response is not None), None)
    if status is not None:
        told = f"answered {status}"
        mend = "later again" if status >= 500 or status == 429 else "HF_TOKEN of one who may read it, or a local folder"
        return CheckpointError(
            given=f"{_endpoint()} {told} when asked for {name}", allowed="the files of the model", mend=mend
        )
    if isinstance(error, OSError) and error.errno is not None:
        return CheckpointError(
            given=f"{name} cannot be stored in {_cache()} ({error.strerror})",
            allowed="a folder that this user may write in",
            mend="HF_HOME=folder of one's own",
        )
    return CheckpointError(
        given=f"{name} could not be fetched ({_first_line(error)})",
        allowed="all of its files",
        mend="again, which goes on where it stopped, or a local folder",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _cache() -> str:
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)
