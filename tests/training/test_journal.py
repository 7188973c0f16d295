import json
import math
import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqwise.errors import CheckpointError, MissingExtraError
from seqwise.training.events import Evaluated, Event, Finished, Noted, Sample, Saved, Stepped
from seqwise.training.journal import Journal, TensorBoard, follow, read

floats = st.floats(allow_nan=False)
steps = st.integers(0, 10**9)
anything = st.text(st.characters(codec=None))  # lone surrogates, controls and line separators included
events = st.lists(
    st.one_of(
        st.builds(Stepped, steps, floats, floats, floats, floats, steps, floats, floats, st.one_of(st.none(), steps)),
        st.builds(
            Evaluated,
            steps,
            st.dictionaries(anything, floats),
            st.booleans(),
            st.lists(st.builds(Sample, anything, anything, anything), max_size=3).map(tuple),
            averaged=st.booleans(),
        ),
        st.builds(Saved, steps, anything, anything),
        st.builds(Noted, steps, anything, st.dictionaries(anything, st.one_of(floats, anything))),
        st.builds(Finished, steps, anything, steps, st.dictionaries(anything, floats)),
    ),
    max_size=5,
)


def stepped(step: int, loss: float = 1.0) -> Stepped:
    return Stepped(step, step / 10, loss, 1e-3, 0.5, 1000, 0.1, 0.05, 100)


class Watcher:
    """A reader that remembers, and fails on request."""

    def __init__(self, fails_at: int | None = None, fails_on_close: bool = False) -> None:
        self.told: list[Event] = []
        self.closed = False
        self.fails_at = fails_at
        self.fails_on_close = fails_on_close

    def tell(self, event: Event) -> None:
        """Remember."""
        if event.step == self.fails_at:
            raise CheckpointError("it", "more", "less")
        self.told.append(event)

    def close(self) -> None:
        """Remember."""
        self.closed = True
        if self.fails_on_close:
            raise CheckpointError("closing", "more", "less")


@settings(deadline=None)
@given(events)
def test_a_journal_gives_back_the_events_it_was_told(tmp_path_factory, events):
    path = tmp_path_factory.mktemp("run") / "journal.jsonl"
    journal = Journal(path)
    for event in events:
        journal.tell(event)
    assert read(path) == events  # before it is closed: each line is on its way at once
    journal.close()
    assert read(path) == events


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_are_written_as_texts_and_come_back(tmp_path, number):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.tell(stepped(1, number))
    journal.tell(Evaluated(1, {"loss": number}, False, (Sample("nan", "inf", "-inf"),)))
    journal.close()

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    told = [json.loads(line, parse_constant=refuse) for line in lines]
    assert told[0]["loss"] == str(number)
    first, second = read(tmp_path / "journal.jsonl")
    assert isinstance(first, Stepped)
    assert isinstance(second, Evaluated)
    assert str(first.loss) == str(second.scores["loss"]) == str(number)
    assert second.samples == (Sample("nan", "inf", "-inf"),)


def test_a_line_of_the_journal_is_flat_and_names_its_kind(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.tell(stepped(7))
    journal.close()
    assert json.loads((tmp_path / "journal.jsonl").read_text()) == {
        "kind": "stepped",
        "step": 7,
        "epoch": 0.7,
        "loss": 1.0,
        "rate": 1e-3,
        "gradient_norm": 0.5,
        "tokens": 1000,
        "seconds": 0.1,
        "padding": 0.05,
        "total": 100,
    }


def test_a_resumed_journal_shows_no_step_twice_and_no_end_in_the_middle(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    before = [stepped(1), stepped(2), Evaluated(2, {"loss": 1.0}, True), Saved(2, "state", "evaluation")]
    for event in [*before, stepped(3), stepped(4), Finished(4, "signal", 2, {})]:
        journal.tell(event)
    journal.close()
    with path.open("a") as file:
        file.write('{"kind": "stepp')  # killed while it wrote
    assert len(read(path)) == 7
    journal = Journal(path, resumed=2)
    journal.tell(stepped(3, 2.0))
    journal.close()
    assert read(path) == [*before, stepped(3, 2.0)]


def test_a_run_that_ended_and_goes_on_has_no_end_in_its_journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for event in (stepped(1), Saved(1, "state", "end"), Finished(1, "steps", 1, {})):
        journal.tell(event)
    journal.close()
    Journal(path, resumed=1).close()
    assert read(path) == [stepped(1), Saved(1, "state", "end")]


def test_what_only_the_end_of_a_run_called_for_is_no_part_of_one_that_goes_on(tmp_path):
    path = tmp_path / "journal.jsonl"
    before = [stepped(1), Evaluated(1, {"loss": 1.0}, True), Saved(1, "state", "evaluation")]
    averaged = Evaluated(1, {"loss": 0.9}, True, averaged=True)
    for _ in range(2):
        journal = Journal(path) if not path.exists() else Journal(path, resumed=1)
        for event in [*([] if read(path) else before), averaged, Finished(1, "steps", 1, {})]:
            journal.tell(event)
        journal.close()
    assert read(path) == [*before, averaged, Finished(1, "steps", 1, {})]


def test_a_run_from_the_beginning_empties_an_old_journal(tmp_path):
    path = tmp_path / "journal.jsonl"
    for _ in range(2):
        journal = Journal(path)
        journal.tell(stepped(1))
        journal.close()
    assert read(path) == [stepped(1)]


@pytest.mark.parametrize(
    "line",
    ["{}", "[1]", "no json", '{"kind": "danced", "step": 1}', '{"kind": "saved", "step": 1}', '"x"', ""],
)
def test_a_foreign_line_is_named_by_file_and_number(tmp_path, line):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.tell(stepped(1))
    journal.close()
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CheckpointError, match=r"journal\.jsonl:2: a line that is no event"):
        read(path)


def test_a_journal_that_is_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(CheckpointError, match=r"cannot be read .*needs the journal of a run"):
        read(tmp_path / "journal.jsonl")
    with pytest.raises(CheckpointError, match="cannot be written"):
        Journal(tmp_path / "nowhere" / "journal.jsonl")


def test_a_full_disk_leaves_a_journal_that_can_be_read(tmp_path):
    """The limit on the size of files stands in for the full disk."""
    path = tmp_path / "journal.jsonl"
    script = (
        "import sys\n"
        "from seqwise.training.journal import Journal\n"
        "from seqwise.training.events import Saved\n"
        "from seqwise.errors import CheckpointError\n"
        "journal = Journal(sys.argv[1])\n"
        "try:\n"
        "    for step in range(1, 1000): journal.tell(Saved(step, 'state', 'end'))\n"
        "except CheckpointError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert "journal.jsonl cannot be written (File too large)" in done.stdout
    assert done.stdout.count("\n") == 1
    found = read(path)
    assert found == [Saved(step, "state", "end") for step in range(1, len(found) + 1)]
    assert len(found) > 10
    Journal(path, resumed=5).close()
    assert len(read(path)) == 5


def test_follow_feeds_all_readers_and_returns_the_last_word():
    one, other = Watcher(), Watcher()
    stream: list[Event] = [stepped(1), stepped(2), Finished(2, "steps", 2, {})]
    assert follow(stream, [one, other]) == stream[-1]
    assert one.told == other.told == stream
    assert one.closed
    assert other.closed


def test_follow_closes_all_readers_when_training_fails():
    def training():
        yield stepped(1)
        raise ValueError("exploded")

    one, other = Watcher(fails_on_close=True), Watcher(fails_on_close=True)
    with pytest.raises((ValueError, CheckpointError)) as raised:
        follow(training(), [one, other])
    assert one.closed
    assert other.closed
    assert isinstance(raised.value.__context__, (ValueError, CheckpointError))


def test_a_reader_that_fails_ends_the_training_before_the_readers_are_closed():
    order = []

    def training():
        try:
            yield stepped(1)
            yield stepped(2)
        finally:
            order.append("training")

    reader = Watcher(fails_at=1)
    reader.close = lambda: order.append("reader")  # type: ignore[method-assign]
    with pytest.raises(CheckpointError, match="it: needs more"):
        follow(training(), [reader])
    assert order == ["training", "reader"]


def test_events_without_an_end_are_a_defect():
    with pytest.raises(RuntimeError, match="without Finished"):
        follow([stepped(1)], [])


def test_tensorboard_gets_curves_scores_and_samples(tmp_path):
    """Oracle: TensorBoard's own reader of event files."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path)
    board.tell(stepped(1, 3.0))
    board.tell(stepped(2, 2.5))
    board.tell(Evaluated(2, {"bleu": 12.5}, True, (Sample("a <b>", "c", "d"),)))
    board.tell(Noted(2, "plan", {"seconds": 90.0, "device": "cpu"}))
    board.tell(Finished(2, "steps", 2, {}))
    board.close()
    found = accumulator.EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == [(1, 3.0), (2, 2.5)]
    assert [e.value for e in found.Scalars("train/tokens_per_second")] == pytest.approx([1e4, 1e4])
    assert [(e.step, e.value) for e in found.Scalars("valid/bleu")] == [(2, 12.5)]
    text = found.Tensors("sample/1/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text == "    source: a <b>\n    reference: c\n    output: d"
    text = found.Tensors("plan/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text == "    seconds: 90\n    device: cpu"


def test_tensorboard_hides_the_steps_that_are_done_again(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = TensorBoard(tmp_path)
    for step in (1, 2, 3):
        board.tell(stepped(step, 3.0))
    board.close()
    board = TensorBoard(tmp_path, resumed=1)
    board.tell(stepped(2, 2.0))
    board.close()
    found = accumulator.EventAccumulator(str(tmp_path))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("train/loss")] == [(1, 3.0), (2, 2.0)]


def test_tensorboard_without_the_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[tensorboard\]'"):
        TensorBoard(tmp_path)
