import gzip
import json
from pathlib import Path

import pytest

from seqwise.data.conversations import Conversation, Conversations
from seqwise.data.instructions import InstructionSettings, read_instructions, read_texts
from seqwise.errors import ConfigError, DataError

USER, ASSISTANT = {"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}
SKIP = "or --on-bad-row skip."


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Files are named without a folder, as a user in that folder names them."""
    monkeypatch.chdir(tmp_path)


def put(*rows: object, name: str = "a.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


def read(name: str, **settings: object) -> Conversations:
    return read_instructions([name], InstructionSettings(**settings))


def one(row: object, **settings: object) -> Conversation:
    return read(put(row), **settings).items[0]


def told(name: str, kind: type[Exception] = DataError, **settings: object) -> str:
    with pytest.raises(kind) as caught:
        read(name, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def said(item: Conversation) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in item.messages]


# --- the forms -------------------------------------------------------------------------------------------------

SAME = [("user", "Rain?"), ("assistant", "Yes.")]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Rain?", "input": "", "output": "Yes."},
        {"prompt": "Rain?", "completion": "Yes."},
        {"prompt": [USER], "completion": [ASSISTANT]},
        {"messages": [USER, ASSISTANT]},
        {"conversations": [{"from": "human", "value": "Rain?"}, {"from": "gpt", "value": "Yes."}]},
    ],
)
def test_the_same_exchange_comes_out_of_every_form(row):
    item = one(row)
    assert (said(item), item.learned, item.answer, item.question) == (SAME, (1,), "Yes.", "Rain?")
    assert item.bare == isinstance(row.get("prompt"), str)


def test_an_instruction_has_its_input_below_and_what_was_said_before_above():
    row = {"instruction": "Sum up.", "input": "A text.", "output": "It.", "system": "Be brief."}
    item = one({**row, "history": [["Hello", "Hi"]]})
    assert said(item) == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "Hi"),
        ("user", "Sum up.\nA text."),
        ("assistant", "It."),
    ]
    assert item.learned == (2, 4)
    assert one({**row, "history": [["Hello", "Hi"]]}, learn="last").learned == (4,)


def test_of_a_prompt_only_the_completion_is_learnt():
    item = one({"prompt": [USER, ASSISTANT, USER], "completion": [ASSISTANT, USER, ASSISTANT]})
    assert item.learned == (3, 5)


def test_roles_of_sharegpt_and_calls_come_out_as_templates_know_them():
    call = {"name": "weather", "arguments": {"place": "Lyon"}}
    row = {
        "conversations": [
            {"from": "human", "value": "Rain?"},
            {"from": "function_call", "value": json.dumps(call)},
            {"from": "observation", "value": ""},
            {"from": "gpt", "value": "Yes."},
        ],
        "system": "Be brief.",
        "tools": json.dumps([{"name": "weather"}]),
    }
    item = one(row)
    assert [role for role, _ in said(item)] == ["system", "user", "assistant", "tool", "assistant"]
    assert item.messages[2]["tool_calls"] == [{"type": "function", "function": call}]
    assert (item.learned, item.tools) == ((2, 4), ({"name": "weather"},))


def test_calls_of_openai_have_their_arguments_read():
    """They are JSON in a text there; chat templates write them as JSON themselves."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    row = {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [call]}], "tools": [{"name": "f"}]}
    item = one(row)
    assert item.messages[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {"x": 1}}
    assert item.messages[1]["content"] == ""


def test_answers_of_weight_0_are_read_and_not_learnt():
    item = one({"messages": [USER, {**ASSISTANT, "weight": 0}, USER, {**ASSISTANT, "weight": 1}]})
    assert item.learned == (3,)
    assert all("weight" not in message for message in item.messages)


def test_parts_that_are_texts_are_one_text():
    parts = [{"type": "text", "text": "Rain"}, {"type": "text", "text": "?"}]
    assert said(one({"messages": [{"role": "user", "content": parts}, ASSISTANT]})) == SAME


def test_entries_of_any_name_are_prompt_and_answer():
    row = {"q": {"text": "Rain?"}, "a": "Yes.", "text": "other"}
    item = one(row, prompt="q.text", answer="a")
    assert (said(item), item.bare) == (SAME, True)


# --- files -----------------------------------------------------------------------------------------------------


def test_a_list_tells_line_and_row():
    rows = [{"prompt": f"a{i}", "completion": "b"} for i in range(3)]
    Path("one.json").write_text(json.dumps(rows))
    Path("many.json").write_text("\n" + json.dumps(rows, indent=1))
    flat, tall = read("one.json"), read("many.json")
    assert flat.items == tall.items
    assert [flat.where(i) for i in range(3)] == [f"one.json:1 (row {i})" for i in (1, 2, 3)]
    lines = Path("many.json").read_text().splitlines()
    assert [tall.where(i) for i in range(3)] == [f"many.json:{n} (row {i})" for i, n in enumerate((3, 7, 11), 1)]
    assert [lines[n - 1].strip() for n in tall.lines] == ["{"] * 3
    assert tall.places[1] == tall.where(1)


def test_files_may_be_gzipped_and_mixed():
    Path("a.json.gz").write_bytes(gzip.compress(json.dumps([{"prompt": "a", "completion": "b"}]).encode()))
    put({"messages": [USER, ASSISTANT]}, name="b.jsonl")
    Path("c.txt").write_text("first\n\n  second \r\n")
    found = read_instructions(["a.json.gz", "b.jsonl", "c.txt"], InstructionSettings())
    assert found.places == ("a.json.gz:1 (row 1)", "b.jsonl:1", "c.txt:1", "c.txt:3")
    assert [item.text for item in found.items] == [None, None, "first", "  second "]
    assert len(found.select([3, 0])) == 2
    assert found.select([3, 0]).where(0) == "c.txt:3"


def test_a_file_may_be_one_text():
    Path("a.txt").write_text("one\n\ntwo\n")
    assert [item.text for item in read("a.txt", documents="file").items] == ["one\n\ntwo\n"]
    assert [item.text for item in read(put({"text": "x"}, {"text": "y"})).items] == ["x", "y"]


def test_plain_texts_are_entries_of_json_and_else_lines():
    Path("b.txt").write_text('one \n\n{"text": "x"}\n')
    assert read_texts("b.txt") == [("one", "b.txt:1"), ('{"text": "x"}', "b.txt:3")]
    assert read_texts(put({"text": "x\ny "}, {"text": "z"})) == [("x\ny", "a.jsonl:1"), ("z", "a.jsonl:2")]
    with pytest.raises(
        DataError, match=r'a.jsonl:1: no "text" among words: needs "text" in every row. Try mending it.$'
    ):
        read_texts(put({"words": "x"}))
    Path("a.csv").write_text("text\nx\n")
    with pytest.raises(DataError, match=r"a.csv: a .csv file: needs JSONL, a JSON list or plain text."):
        read_texts("a.csv")


def test_blank_texts_are_left_out_and_counted_and_bad_rows_skipped_where_that_is_asked_for():
    heard: list[str] = []
    name = put({"text": "x"}, {"text": " "}, {"text": 5}, {"text": ""})
    with pytest.raises(DataError, match=r"a.jsonl:3: .*5.*: needs text in quotes"):
        read_texts(name)
    assert read_texts(name, on_bad_row="skip", on_note=heard.append) == [("x", "a.jsonl:1")]
    assert heard[0].startswith("a.jsonl: 1 bad row skipped, the first: a.jsonl:3")
    assert heard[1:] == ["a.jsonl: 2 rows with a blank text left out"]
    Path("b.txt").write_bytes(b"one\ncaf\xe9\n\ntwo\n")
    with pytest.raises(DataError, match=r"b.txt:2: byte 0xe9"):
        read_texts("b.txt")
    assert read_texts("b.txt", on_bad_row="skip", on_note=heard.append) == [("one", "b.txt:1"), ("two", "b.txt:4")]
    assert heard[-1].startswith("b.txt: 1 bad row skipped, the first: b.txt:2")


def test_the_form_can_be_named_where_the_keys_fit_two():
    row = {"instruction": "Rain?", "output": "Yes.", "text": "Rain? Yes."}
    name = put(row)
    assert told(name) == (
        "a.jsonl:1: keys of alpaca (instruction, output) and text (text): needs one form, told apart by its keys. "
        "Try --data.format alpaca or --data.format text."
    )
    assert said(read(name, format="alpaca").items[0]) == SAME
    assert read(name, format="text").items[0].text == "Rain? Yes."


def test_bad_rows_are_left_out_and_counted_and_groups_stay_aligned():
    good = [{"prompt": "a", "completion": "b", "meta": {"author": f"author {i}"}} for i in range(3)]
    name = put(good[0], {"prompt": "", "completion": "b", "meta": {"author": "x"}}, good[1], {"prompt": "a"}, good[2])
    notes: list[str] = []
    settings = InstructionSettings(on_bad_row="skip", group_by="meta.author")
    found = read_instructions([name], settings, notes.append)
    assert found.groups == ("author 0", "author 1", "author 2")
    assert found.lines == (1, 3, 5)
    assert [fault.where for fault in found.skipped] == ["a.jsonl:2", "a.jsonl:4"]
    assert notes == [f"a.jsonl: 2 bad rows skipped, the first: {found.skipped[0]}"]
    assert found.select([2]).groups == ("author 2",)


# --- what is wrong, in one line --------------------------------------------------------------------------------

MESSAGE = {"role": "user", "content": "x"}
FAULTS: dict[str, tuple[str, str]] = {
    "broken JSON": ('{"prompt": "a", \n', "a.jsonl:1: no JSON (Expecting property name enclosed in double quotes, col"),
    "no object": ("[1, 2]\n", "a.jsonl:1 (row 1): JSON that is no object, '1': needs an object for each row."),
    "no form": ('{"question": "a", "reply": "b"}\n', "a.jsonl:1: no form with the keys question, reply: needs instr"),
    "half a form": (
        '{"prompt": "a", "completions": "b"}\n',
        'Try "completion" in place of "completions" beside "prompt"',
    ),
    "a preference": ('{"prompt": "a", "chosen": "b", "rejected": "c"}\n', "a preference (chosen and rejected)"),
    "empty prompt": ('{"prompt": " ", "completion": "b"}\n', 'a.jsonl:1: an empty "prompt": needs a text that says'),
    "empty answer": ('{"prompt": "a", "completion": ""}\n', 'no answer, since "completion" is empty'),
    "wrong type": ('{"prompt": 5, "completion": "b"}\n', "\"prompt\": '5': needs text in quotes."),
    "one list": ('{"prompt": [{"role": "user", "content": "x"}], "completion": "b"}\n', 'a list as "prompt" only'),
    "no messages": ('{"messages": []}\n', "\"messages\": '[]': needs a list of messages, one at least."),
    "no answer": (json.dumps({"messages": [MESSAGE]}) + "\n", "no answer among 1 message: needs a message of the ass"),
    "answer first": (
        '{"messages": [{"role": "assistant", "content": "x"}]}\n',
        "an answer to nothing, as the first me",
    ),
    "unknown role": ('{"messages": [{"role": "asistant", "content": "x"}]}\n', 'Try "assistant", ' + SKIP),
    "no role": ('{"messages": [{"content": "x"}]}\n', "message 1 without a role: needs one of system, developer, user"),
    "empty message": (
        json.dumps({"messages": [{"role": "user", "content": " "}, ASSISTANT]}) + "\n",
        f"message 1 of the user, which is empty: needs a text that says something. Try mending it, {SKIP}",
    ),
    "no content": (
        '{"messages": [{"role": "user"}]}\n',
        "message 1 of the user, without content: needs text in quotes",
    ),
    "a picture": (
        '{"messages": [{"role": "user", "content": [{"type": "image"}]}]}\n',
        "message 1 with a part that is no text",
    ),
    "a call that is none": (
        '{"conversations": [{"from": "function_call", "value": "f(x)"}]}\n',
        "a function_call that",
    ),
    "weight 0 only": (json.dumps({"messages": [USER, {**ASSISTANT, "weight": 0}]}) + "\n", "answers of weight 0 only"),
    "tools": (
        json.dumps({"messages": [USER, ASSISTANT], "tools": "f"}) + "\n",
        '"tools": \'"f"\': needs a list of obj',
    ),
    "history": (
        '{"instruction": "a", "output": "b", "history": [["c"]]}\n',
        '"history": \'[["c"]]\': needs a list of p',
    ),
    "a NUL": ('{"prompt": "a\\u0000", "completion": "b"}\n', "a NUL character: needs text."),
    "half a pair": ('{"prompt": "a\\ud83d", "completion": "b"}\n', "half of a surrogate pair: needs both halves"),
    "nothing": ("\n\n", "a.jsonl: no row but blank lines: needs one row at least."),
    "a list that breaks off": (
        '[{"text": "a"}, {"text": "b"}\n',
        "a list that breaks off after row 2: needs a whole list",
    ),
    "a list without comma": ('[{"text": "a"} {"text": "b"}]\n', "a list that has no comma after row 1"),
    "a broken item": (
        '[{"text": "a"},\n {"text": b}]\n',
        "a.jsonl:2: no JSON in row 2 of the list (Expecting value, col",
    ),
    "two lists": ('[{"text": "a"}]\n[{"text": "b"}]\n', "a.jsonl:2: more behind the end of the list: needs one list."),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_is_told_in_one_line(fault):
    content, expected = FAULTS[fault]
    Path("a.jsonl").write_text(content)
    assert expected in told("a.jsonl")


def test_a_file_without_one_good_row_is_refused_also_where_bad_ones_are_skipped():
    name = put({"prompt": "", "completion": "b"}, {"prompt": "", "completion": "b"})
    assert told(name, on_bad_row="skip") == (
        'a.jsonl:1: an empty "prompt", the first of 2 rows, which are all bad: needs a text that says something. '
        "Try mending it."
    )


def test_files_and_settings_that_do_not_fit_are_refused():
    put({"prompt": "a", "completion": "b"})
    assert told("a.jsonl", group_by="author").startswith('a.jsonl:1: no "author" among prompt, completion: needs a tex')
    assert "--data.prompt with --data.format alpaca" in told("a.jsonl", ConfigError, prompt="q", format="alpaca")
    assert "--data.encoding utf8x" in told("a.jsonl", ConfigError, encoding="utf8x")
    Path("a.csv").write_text("prompt,completion\n")
    assert told("a.csv").startswith("a.csv: a .csv file: needs JSONL, a JSON list or plain text.")
    Path("a.txt").write_text("x\0y\n")
    assert told("a.txt").startswith("a.txt:1: a NUL byte")
    assert "--data.group-by author for plain text" in told("a.txt", group_by="author")
    Path("b.txt").write_bytes(b"caf\xe9\n")
    assert "needs utf-8. Try --data.encoding latin-1" in told("b.txt")
    with pytest.raises(DataError, match="no file"):
        read_instructions([], InstructionSettings())
