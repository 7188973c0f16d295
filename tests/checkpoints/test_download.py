"""Names become folders: against a server that speaks the hub's interface, and against none."""

import errno
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from huggingface_hub import constants
from huggingface_hub.utils import disable_progress_bars

from seqwise.checkpoints import download
from seqwise.checkpoints.download import locate
from seqwise.errors import CheckpointError

OLD, NEW = "a" * 40, "b" * 40
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "vocab.txt": b"[PAD]",
    "chat_template.jinja": b"{{ messages }}",
    "pytorch_model.bin": b"a pickle",
    "modeling_bert.py": b"print('run')",
    "flax_model.msgpack": b"another",
    "onnx/model.onnx": b"another",
    "fp16/model.safetensors": b"another",
    "README.md": b"# read me",
}
FETCHED = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "chat_template.jinja"}
REPOSITORIES = {
    "owner/model": {NEW: FILES, OLD: {**FILES, "config.json": b'{"model_type": "gpt2"}'}},
    "plain": {NEW: FILES},
    "owner/pickles": {NEW: {"config.json": b"{}", "pytorch_model.bin": b"a pickle"}},
    "owner/gguf": {NEW: {"model.gguf": b"another"}},
}
NOBODY = "http://127.0.0.1:9"  # discard: nothing listens there
REVISIONS = {"main": NEW, "v1": OLD, NEW: NEW, OLD: OLD}


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's interface that snapshot_download asks."""

    def log_message(self, *words):
        """Nothing is told."""

    def answer(self, status, body=b"", **headers):
        """One answer; with HEAD the body is measured only."""
        self.server.asked.append(f"{self.command} {self.path}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        """Of a model: what it is, its files, one file."""
        path = self.path.split("?")[0].strip("/")
        if "owner/gated" in path:
            return self.answer(403, X_Error_Code="GatedRepo")
        if "owner/broken" in path:
            return self.answer(503)
        if "owner/teapot" in path:
            return self.answer(418)
        name = next((name for name in REPOSITORIES if f"{name}/" in f"{path}/"), None)
        if name is None:
            return self.answer(401, X_Error_Code="RepoNotFound")
        if path.startswith("api/"):
            _, what, revision = path.rpartition(f"models/{name}")[2].split("/", 2)
            return self.about(name, what, REVISIONS.get(revision))
        _, revision, file = path.removeprefix(f"{name}/").split("/", 2)
        content = REPOSITORIES[name][REVISIONS[revision]][file]
        tag = f'"{hashlib.sha1(content).hexdigest()}"'
        return self.answer(200, content, ETag=tag, X_Repo_Commit=REVISIONS[revision])

    do_HEAD = do_GET  # noqa: N815  # the library calls it so

    def about(self, name, what, commit):
        """What it is, or the list of its files."""
        if commit is None or commit not in REPOSITORIES[name]:
            return self.answer(404, X_Error_Code="RevisionNotFound")
        if what == "revision":
            return self.answer(200, json.dumps({"id": name, "sha": commit, "siblings": []}).encode())
        files = [
            {"type": "file", "path": file, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for file, content in REPOSITORIES[name][commit].items()
        ]
        return self.answer(200, json.dumps(files).encode(), Content_Type="application/json")


def pointed(monkeypatch, address):
    """What HF_ENDPOINT does when the library is imported."""
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + template[template.index("/{repo_id}") :])


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub at work, and an empty cache."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        pointed(monkeypatch, address)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield SimpleNamespace(asked=server.asked, address=address, stop=server.shutdown)
        server.shutdown()


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    pointed(monkeypatch, f"http://127.0.0.1:{port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return port


def refusal(name, revision=None):
    """The one line."""
    with pytest.raises(CheckpointError) as caught:
        locate(name, revision)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_local_folder_is_taken_as_it_is(tmp_path, monkeypatch):
    (tmp_path / "owner" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert locate(str(tmp_path / "owner")) == tmp_path / "owner"
    assert str(locate("owner/model")) == "owner/model"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~/owner") == tmp_path / "owner"


def test_a_revision_of_a_local_folder_is_refused(tmp_path, monkeypatch):
    (tmp_path / "owner" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert refusal("owner/model", "1234abc").startswith("--revision 1234abc with owner/model, which is a folder here:")


def test_a_model_of_the_hub_is_fetched_without_pickles_and_code(hub, capfd):
    folder = locate("owner/model")
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == FETCHED
    assert (folder / "config.json").read_bytes() == FILES["config.json"]
    asked = " ".join(hub.asked)
    assert not any(name in asked for name in ("pytorch_model", "modeling", "onnx", "fp16", "README"))
    assert capfd.readouterr() == ("", "")  # no bar where nobody watches


def test_a_name_without_an_owner_is_fetched(hub):
    assert (locate("plain") / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize("revision", ["v1", OLD])
def test_the_revision_is_the_one_that_was_asked_for(hub, revision):
    assert json.loads((locate("owner/model", revision) / "config.json").read_text()) == {"model_type": "gpt2"}
    assert json.loads((locate("owner/model") / "config.json").read_text()) == {"model_type": "bert"}


def test_what_was_fetched_once_needs_no_network_again(hub, monkeypatch):
    first = locate("owner/model")
    before = len(hub.asked)
    assert locate("owner/model") == first
    assert not any("resolve" in line for line in hub.asked[before:])  # no file twice
    pointed(monkeypatch, NOBODY)
    assert locate("owner/model") == first


def test_an_unknown_model_names_the_folder_that_was_meant(hub, tmp_path):
    (tmp_path / "modell").mkdir()
    assert refusal("model") == (
        "no folder model, and the hub knows no such model: needs a folder that is there, or owner/name of a model that "
        "you may read. Try modell, a folder here, or the name as its page on the hub has it; a private one needs "
        "HF_TOKEN."
    )


def test_an_unknown_revision_is_named(hub):
    assert refusal("owner/model", "v2").startswith("revision v2 of owner/model, which the hub does not have")


def test_a_gated_model_says_how_to_get_it(hub):
    line = refusal("owner/gated")
    assert "whose owners give it to those they know only" in line
    assert "HF_TOKEN" in line


def test_a_hub_in_trouble_says_its_number(hub):
    assert f"{hub.address} answered 503 when asked for owner/broken" in refusal("owner/broken")
    assert "answered 418" in refusal("owner/teapot")


def test_a_model_with_pickles_only_is_refused(hub):
    assert "owner/pickles on the hub without safetensors files" in refusal("owner/pickles")


def test_a_repository_without_a_model_is_refused(hub):
    assert "owner/gguf on the hub without config.json" in refusal("owner/gguf")


def test_without_a_network_it_says_what_to_do(no_network):
    line = refusal("owner/model", "v1")
    assert f"no folder owner/model, and http://127.0.0.1:{no_network} cannot be reached" in line
    assert "owner/model at v1 in the cache" in line
    assert "HF_HOME" in line
    assert "HF_ENDPOINT" in line


def test_a_half_fetched_model_is_not_taken_for_whole(hub, monkeypatch):
    folder = locate("owner/model")
    (folder / "model.safetensors").unlink()
    pointed(monkeypatch, NOBODY)
    assert "cannot be reached" in refusal("owner/model")


@pytest.mark.parametrize("name", ["./nowhere/model", "/nowhere", "a/b/c", "../x", "owner/mo del", "ü", ""])
def test_what_is_no_name_of_the_hub_asks_nobody(no_network, name):
    if name == "":  # the folder one is in
        assert locate("") == download.Path()
    else:
        assert f"no folder {name}: needs a folder that is there" in refusal(name)


def test_a_path_with_a_slip_names_the_folder_beside(no_network, tmp_path):
    (tmp_path / "models" / "llama-small").mkdir(parents=True)
    assert refusal(f"{tmp_path}/models/llama-smal").endswith(f"Try {tmp_path}/models/llama-small.")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert "which is a file: needs the folder of a checkpoint" in refusal(str(tmp_path / "model.safetensors"))


@pytest.mark.parametrize(
    ("number", "told"), [(errno.ENOSPC, "does not fit into"), (errno.EACCES, "cannot be stored in")]
)
def test_a_disk_that_takes_nothing_says_so(hub, monkeypatch, number, told):
    def full(*words, **further):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    line = refusal("owner/model")
    assert told in line
    assert "HF_HOME" in line


def test_bars_stay_off_where_they_were_off(hub):
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars

    disable_progress_bars()
    locate("owner/model")
    assert are_progress_bars_disabled()
    enable_progress_bars()
    locate("owner/model", "v1")
    assert not are_progress_bars_disabled()


def test_the_settings_of_the_environment_are_heard(hub, tmp_path):
    """HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE, as a shell sets them."""
    code = "import sys; from seqwise.checkpoints.download import locate; print(locate('owner/model'))"
    around = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run([sys.executable, "-c", code], env=around, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(tmp_path / "home"))
    alone = around | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "other")}
    done = subprocess.run([sys.executable, "-c", code], env=alone, capture_output=True, text=True)
    assert "Try HF_HUB_OFFLINE=0, a local folder" in done.stderr


def test_the_library_is_imported_only_when_it_is_needed():
    code = "import sys, seqwise.checkpoints.download; print('huggingface_hub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
