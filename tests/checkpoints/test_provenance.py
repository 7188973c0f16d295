import json
import platform
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import torch

from seqwise.checkpoints.provenance import processor, signature


def test_a_signature_tells_versions_seed_data_and_command_in_json():
    told = json.loads(json.dumps(signature(7, {"train.en": "ab" * 32}, {"parameters": 12}, ["seqwise", "train"])))
    assert told["seed"] == 7
    assert told["data"] == {"train.en": "ab" * 32}
    assert told["parameters"] == 12
    assert told["command"] == ["seqwise", "train"]
    assert told["versions"]["torch"] == torch.__version__
    assert told["versions"]["numpy"] == np.__version__
    assert told["versions"]["python"] == platform.python_version()
    assert {"seqwise", "tokenizers"} <= told["versions"].keys()
    assert abs(datetime.fromisoformat(told["created"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert told["processor"] == processor() != ""


def test_the_command_is_that_of_this_process():
    assert signature(1, {})["command"] == sys.orig_argv


def test_the_processor_is_told_where_the_system_hides_it(monkeypatch):
    monkeypatch.setattr("seqwise.checkpoints.provenance.Path.read_text", lambda *_, **__: "flags: none\n")
    assert processor()


def test_a_package_that_is_missing_has_no_version(monkeypatch):
    monkeypatch.setattr("seqwise.checkpoints.provenance.PACKAGES", ("no-such-package",))
    assert signature(1, {})["versions"]["no-such-package"] is None
