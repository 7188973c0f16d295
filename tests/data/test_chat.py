import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from seqwise.data import chat, templates
from seqwise.data.specials import Specials
from seqwise.data.tokens import Tokenizer
from seqwise.errors import ConfigError, DataError

CHATML = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- endif %}
    {{- "\\n# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- elif messages[0]['role'] == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if message.role == "user" and ns.last == messages|length - 1 %}{% set ns.last = index %}{% endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' + message.role }}
        {%- if message.reasoning_content %}{{- '\\n<think>' ~ message.reasoning_content ~ '</think>' }}{%- endif %}
        {%- if message.content %}
            {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
            {{- '\\n' + content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}{%- set tool_call = tool_call.function %}{%- endif %}
            {{- '\\n<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}{{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""
LLAMA3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token + ' ' }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
GEMMA = """{{ bos_token }}
{% for message in messages %}
    {% if (message['role'] == 'assistant') %}
        {% set role = 'model' %}
    {% else %}
        {% set role = message['role'] %}
    {% endif %}
    {{ '<start_of_turn>' + role + '
' + message['content'] | trim + '<end_of_turn>
' }}
    {% if loop.index > 40 %}
        {% break %}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}
    {{'<start_of_turn>model
'}}
{% endif %}
"""
PARTS = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% generation %}{% if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}{{ part.text if part.type == 'text' else '<image>' }}{% endfor %}
{%- endif %}{% endgeneration %}<|im_end|>
{% endfor %}{{ undefined_thing }}{{ {'é': '<b>'} | tojson(indent=2) }}"""
TEMPLATES = {"chatml": CHATML, "llama3": LLAMA3, "mistral": MISTRAL, "gemma": GEMMA, "parts": PARTS}
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
SPECIAL = [
    *("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    *("<start_of_turn>", "<end_of_turn>"),
]
TEXTS = [
    f"the {animal} {action} at home, <b>isn't</b> it? user\n" for animal in ("dog", "cat") for action in ("is", "ran")
]


def bytewise() -> Backend:
    """As of Llama 3 and Qwen: special tokens behind the vocabulary, a further token that is none."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL[:4]])
    backend.add_tokens([AddedToken("<think>", normalized=False)])
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL[4:]])
    return backend


def spaced() -> Backend:
    """As of Llama 2: special tokens inside the vocabulary, spaces put ahead by the normalizer."""
    letters = sorted(set("".join(TEXTS)) | set("▁[]/INST|<>_abcdefghijklmnopqrstuvwxyz"))
    names = ["<unk>", "<s>", "</s>", *letters, "▁t", "▁th", "▁the", "is", "▁[", "</", "</s", "|>"]
    pairs = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("i", "s"), ("▁", "["), ("<", "/"), ("</", "s"), ("|", ">")]
    backend = Backend(models.BPE({name: i for i, name in enumerate(names)}, pairs, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    backend.add_special_tokens(["<unk>", *SPECIAL])
    return backend


def likely() -> Backend:
    """As of T5: a unigram model that takes "</s>" in a text for its piece."""
    letters = sorted(set("".join(TEXTS)) | set("[]/INST|<>_abcdefghijklmnopqrstuvwxyz"))
    pieces = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -3.0), *((letter, -5.0) for letter in letters)]
    backend = Backend(models.Unigram([*pieces, ("▁the", -4.0), ("</", -6.0), ("|>", -6.0)], unk_id=0))
    backend.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
    backend.decoder = decoders.Metaspace("▁", "first")
    backend.add_special_tokens(["<unk>", *SPECIAL])
    return backend


KINDS = {"bytewise": bytewise(), "spaced": spaced(), "likely": likely()}


def ours(kind: str) -> Tokenizer:
    backend = Backend.from_str(KINDS[kind].to_str())
    start, end = backend.token_to_id("<s>"), backend.token_to_id("</s>")
    unknown = backend.token_to_id("<unk>")
    return Tokenizer(backend, Specials(end, end if unknown is None else unknown, start, end))


def theirs(kind: str):
    transformers = pytest.importorskip("transformers")
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Backend.from_str(KINDS[kind].to_str()), bos_token="<s>", eos_token="</s>"
    )


TOKENIZERS = {kind: ours(kind) for kind in KINDS}
words = st.lists(
    st.sampled_from([*"abdhist<>|/_ \n[]é.", "the ", "<|im", "_end|>", "im_end", "</", "s>"]), max_size=12
).map("".join)
TURNS = [{"role": "user", "content": "  Is the dog </b> at home? \n"}, {"role": "assistant", "content": "It is: é.\n"}]
TURNS = [*TURNS, {"role": "user", "content": "the cat?"}]


def both(template: str, messages, prompt: bool = True, tools=None) -> tuple[str, str]:
    found = chat.render(template, messages, add_generation_prompt=prompt, specials=NAMES, tools=tools)
    expected = theirs("bytewise").apply_chat_template(
        messages, tools=tools, chat_template=template, add_generation_prompt=prompt, tokenize=False
    )
    return found, expected


def ids(kind: str, template: str, messages) -> list[int]:
    return chat.encode(TOKENIZERS[kind], template, messages, add_generation_prompt=True, specials=NAMES)


# ---- rendering


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("prompt", [True, False])
def test_a_conversation_is_rendered_as_transformers_does(name, prompt):
    found, expected = both(TEMPLATES[name], TURNS, prompt)
    assert found == expected
    assert "the cat?" in found


def test_tools_and_calls_are_rendered_as_transformers_does():
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "<où> & wann", "parameters": {"a": []}}}
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Rain?", "name": None},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"function": {"name": "weather", "arguments": {"à": 1}}}],
        },
        {"role": "tool", "content": "wet"},
        {"role": "tool", "content": "cold"},
        {"role": "assistant", "content": "<think>x</think>\nYes.", "reasoning": "It is wet."},
    ]
    found, expected = both(CHATML, messages, tools=tools)
    assert found == expected
    assert [part in found for part in ('{"à": 1}', "<où> & wann", "It is wet.")] == [True] * 3


def test_parts_of_a_message_are_rendered_as_transformers_does():
    found, expected = both(PARTS, [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}]}])
    assert found == expected
    assert "a<image>" in found


def test_today_and_loops_of_a_template():
    template = (
        "{{ strftime_now('%Y') }}{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}"
        "{{ i }}{{ loop.length }}"
        "{% if not loop.last %},{% endif %}{% if i == 3 %}{% break %}{% endif %}{% endfor %}"
        "{% for k, v in dict(a=1).items() recursive %}{{ k }}{{ v }}{% endfor %}"
        "{% for x in nothing %}x{% else %}y{% endfor %}"
    )
    found, expected = both(template, TURNS)
    assert found == expected
    assert found.endswith("09,29,39,a1y")


# ---- ids


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_ids_are_those_of_transformers(kind, name):
    expected = theirs(kind).apply_chat_template(
        TURNS, chat_template=TEMPLATES[name], add_generation_prompt=True, return_dict=False
    )
    assert ids(kind, TEMPLATES[name], TURNS) == expected


@settings(deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.sampled_from(["chatml", "llama3", "mistral", "gemma"]), words, words)
def test_any_harmless_message_has_the_ids_of_transformers(kind, name, first, second):
    """Also where the careful way was taken for a mere "<" at the end of a message."""
    messages = [{"role": "user", "content": first}, {"role": "assistant", "content": second}]
    text = chat.render(TEMPLATES[name], messages, add_generation_prompt=True, specials=NAMES)
    plain = [{**message, "content": "x"} for message in messages]
    count = sum(TOKENIZERS[kind].from_template(text).count(token) for token in special_ids(kind))
    expected = chat.encode(TOKENIZERS[kind], TEMPLATES[name], plain, add_generation_prompt=True, specials=NAMES)
    if count == sum(expected.count(token) for token in special_ids(kind)):
        assert ids(kind, TEMPLATES[name], messages) == TOKENIZERS[kind].from_template(text)


def special_ids(kind: str) -> set[int]:
    return {KINDS[kind].token_to_id(name) for name in SPECIAL}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["chatml", "llama3", "mistral", "gemma"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_no_message_can_name_a_special_token(kind, name, data):
    """As many special tokens, in the same order, as with messages that hold none."""
    pieces = st.lists(
        st.sampled_from([*SPECIAL, "<|im_", "end|>", "<", "|im_end|>", ">", " ", "\n", "the "]), max_size=5
    )
    contents = data.draw(st.lists(pieces.map("".join), min_size=2, max_size=2))
    messages = [{"role": role, "content": text} for role, text in zip(("user", "assistant"), contents, strict=True)]
    plain = [{**message, "content": "x"} for message in messages]
    found, expected = ids(kind, TEMPLATES[name], messages), ids(kind, TEMPLATES[name], plain)
    special = special_ids(kind)
    assert [token for token in found if token in special] == [token for token in expected if token in special]


def test_a_special_token_in_a_message_is_spelled_as_in_any_text():
    """The pieces join across the borders of a message as if the token were no token."""
    tokenizer = TOKENIZERS["bytewise"]
    start, end = (KINDS["bytewise"].token_to_id(name) for name in ("<|im_start|>", "<|im_end|>"))
    found = ids("bytewise", CHATML, [{"role": "user", "content": "the <|im_end|> dog"}])
    assert found == [
        start,
        *tokenizer.encode(["user\nthe <|im_end|> dog"])[0],
        end,
        *tokenizer.encode(["\n"])[0],
        start,
        *tokenizer.encode(["assistant\n"])[0],
    ]
    assert tokenizer.decode([found]) == ["user\nthe <|im_end|> dog\nassistant\n"]


def test_two_texts_cannot_make_a_special_token_together():
    parts = [{"type": "text", "text": "a<|im_"}, {"type": "text", "text": "end|>b"}]
    found = ids("bytewise", PARTS, [{"role": "user", "content": parts}])
    assert found.count(KINDS["bytewise"].token_to_id("<|im_end|>")) == 1
    assert "a<|im_end|>b" in TOKENIZERS["bytewise"].decode([found])[0]


def test_calls_and_tools_cannot_name_a_special_token():
    call = {"function": {"name": "<|im_end|>", "arguments": {"<|im_start|>": ["<|im_end|>"]}}}
    messages = [{"role": "assistant", "content": "x", "tool_calls": [call]}]
    tools = [{"type": "function", "function": {"name": "<|im_start|>"}}]
    found = chat.encode(
        TOKENIZERS["bytewise"], CHATML, messages, add_generation_prompt=False, specials=NAMES, tools=tools
    )
    ends = [KINDS["bytewise"].token_to_id(name) for name in ("<|im_start|>", "<|im_end|>")]
    assert [found.count(token) for token in ends] == [2, 2]
    assert '{"<|im_start|>": ["<|im_end|>"]}' in TOKENIZERS["bytewise"].decode([found])[0]


# ---- faults


def fails(error, match: str, template: str, messages=TURNS, **more) -> None:
    with pytest.raises(error, match=match) as caught:
        chat.render(template, messages, add_generation_prompt=False, specials=NAMES, **more)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


def test_a_template_that_is_no_jinja_names_its_line():
    fails(ConfigError, r"chat template:3: .*no Jinja", "a\nb\n{% for x in %}")
    fails(ConfigError, r"chat template:1: .*wobble", "{{ x | wobble }}")
    fails(ConfigError, "no Jinja", "{% endfor %}")
    fails(ConfigError, "nested too deeply|no Jinja", "{{" + "(" * 5000 + "1" + ")" * 5000 + "}}")


def test_what_a_template_says_is_quoted():
    fails(DataError, r'refuses \("Only user and assistant', MISTRAL, [*TURNS, {"role": "tool", "content": "x"}])
    fails(DataError, "roles must alternate", MISTRAL, TURNS[1:])
    fails(DataError, r'"one two"', "{{ raise_exception('one\n two') }}")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception.__globals__['json'] }}",
        "{{ namespace.__init__.__globals__['json'] }}",
        "{{ dict.__call__.__globals__ }}{{ cycler.__init__.__globals__.os }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{{ namespace(__class__=1) }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{{ ('{0.__class__.__mro__}' | attr('format'))(1) }}",
        "{{ messages[0].pop('role') }}",
        "{{ lipsum.__globals__.os }}",
    ],
)
def test_a_template_does_not_get_out(template):
    fails(ConfigError, "reaches for what it may not have|fails", template)


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set r = range(9999) %}{% for a in r %}{% for b in r %}{% for c in r %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ range(1000000000) }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ [0] * 99999999 }}{{ 99999999 * 'a' }}",
        "{{ 9 ** 9 ** 9 ** 9 }}",
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_a_template_comes_to_an_end(template, monkeypatch):
    monkeypatch.setattr(templates, "_TURNS", 20_000)
    fails(ConfigError, "reaches for what it may not have|fails", template)


def test_what_is_undefined_names_the_line():
    fails(ConfigError, r"chat template:2: .*'nothing' is undefined", "a\n{{ nothing.at_all }}")
    fails(ConfigError, r"chat template:1: .*fails", "{{ messages[0]['content'] + 1 }}")
    fails(ConfigError, "fails", "{% include 'x' %}")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": "a"}, "message 1: no role"),
        ({"role": "usr", "content": "a"}, "the role 'usr'.*'role': 'user'"),
        ({"role": 3, "content": "a"}, "the role 3"),
        ({"role": "<|im_end|>", "content": "a"}, "the role '<"),
        ({"role": "user"}, "message 1: no content"),
        ({"role": "user", "content": None}, "no content"),
        ({"role": "user", "content": 5}, "content that is a int"),
        ({"role": "user", "content": b"a"}, "a bytes in message 1"),
        ({"role": "user", "content": [Path("a")]}, "a PosixPath|a WindowsPath"),
        ("hello", "message 1: a str"),
    ],
)
def test_a_message_that_is_none_is_an_error(message, said):
    fails(DataError, said, CHATML, [message])


def test_a_conversation_needs_messages():
    fails(DataError, "without messages", CHATML, [])
    fails(DataError, "a object in tools", CHATML, TURNS, tools=[object()])


def test_a_message_that_is_no_unicode_is_an_error():
    for text in ("a\ud800", "a\ud800<|im_end|>"):
        with pytest.raises(DataError, match="UTF-8"):
            ids("bytewise", CHATML, [{"role": "user", "content": text}])


def test_the_template_of_json_is_no_html():
    (message,) = [{"role": "user", "content": "<&'\">é"}]
    text = chat.render("{{ messages | tojson }}", [message], add_generation_prompt=False, specials={})
    assert text == json.dumps([message], ensure_ascii=False)


@pytest.mark.parametrize(
    "template",
    [
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{{ '%0300000000d' % 1 }}",
        "{{ '%*d' % (300000000, 1) }}",
        "{% set ns = namespace(x='aaaaaaaaaa') %}{% for a in range(60) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}"
        "{% set ns.x = y %}{% endfor %}",
    ],
)
def test_a_template_cannot_fill_the_memory(template):
    with pytest.raises(ConfigError, match="characters at once"):
        chat.render(template, [{"role": "user", "content": "x"}], add_generation_prompt=False, specials={})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["chatml", "llama3", "mistral", "gemma"])
@pytest.mark.parametrize("begun", ["e", "d", "of", "s", "It is: é.\n", " b  ", "e d"])
def test_an_answer_is_gone_on_with_from_its_own_end(kind, name, begun):
    """Oracle: transformers, but where it finds the last letters of the answer in what the template writes behind it."""
    asked, answer = {"role": "user", "content": "Is the dog home?"}, {"role": "assistant", "content": begun}
    template, tokenizer = TEMPLATES[name], TOKENIZERS[kind]
    further = {"add_generation_prompt": True, "specials": NAMES, "going_on": True}
    found = chat.encode(tokenizer, template, [asked, answer], **further)
    marked = chat.render(template, [asked, {**answer, "content": "@@"}], add_generation_prompt=False, specials=NAMES)
    trims = name in ("llama3", "gemma")
    assert found == tokenizer.from_template(marked.partition("@@")[0] + (begun.strip() if trims else begun))
    if begun not in ("e", "d", "of", "s"):
        expected = theirs(kind).apply_chat_template(
            [asked, answer], chat_template=template, continue_final_message=True, tokenize=False
        )
        assert found == tokenizer.from_template(expected)


def test_an_answer_in_parts_is_gone_on_with_from_its_own_end():
    parts = [{"type": "text", "text": "the dog"}, {"type": "text", "text": "e "}]
    messages = [{"role": "user", "content": "cat?"}, {"role": "assistant", "content": parts}]
    tokenizer = TOKENIZERS["bytewise"]
    template = PARTS.partition("{{ undefined")[0]
    found = chat.encode(tokenizer, template, messages, add_generation_prompt=True, specials={}, going_on=True)
    assert found == tokenizer.from_template("<|im_start|>user\ncat?<|im_end|>\n<|im_start|>assistant\nthe doge ")
