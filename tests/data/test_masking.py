import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from seqwise.data.conversations import Conversation, exchange
from seqwise.data.masking import Masked, Masks, Segment, mask, mask_pairs, mask_texts, preflight, shown
from seqwise.data.pretrained import Pretrained
from seqwise.data.specials import Specials
from seqwise.data.tokens import Tokenizer
from seqwise.data.turns import prompt
from seqwise.errors import DataError

CHATML = """{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' %}
{%- generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}
{%- else %}{{ message.content + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% else %}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{% endif %}{% endfor %}"
)
FORGETFUL = """{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.role == 'assistant' and not loop.last %}{{ message.content.split('|')[-1] }}
{%- else %}{{ message.content }}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
"""As Qwen3's: what stands before a bar is a thought, and is dropped once another turn follows."""
OPENING = CHATML.replace("'<|im_start|>assistant\\n' }}{% endif", "'<|im_start|>assistant\\n(thought)' }}{% endif")
"""As DeepSeek's: a prompt ends in the opening of a thought, which no answer is written with."""
CHANGING = "{% for message in messages %}{{ message.content ~ (messages | length) }}</s>{% endfor %}"
ENDLESS = "{% for message in messages %}{{ message.role + ': ' + message.content + '\\n' }}{% endfor %}"
NAMES = {"bos_token": "<s>", "eos_token": "</s>"}
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
TEXTS = ["the dog is at home, isn't it? user assistant\n", "[INST] the cat ran [/INST] yes no"] * 2


def bytewise() -> Backend:
    """As of GPT-2 and Llama 3."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet, show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    return backend


def spaced() -> Backend:
    """As of Llama 2: a space is put ahead of a text."""
    letters = sorted({*map(chr, range(33, 127)), *"▁é\n"})
    names = ["<unk>", "<s>", "</s>", *letters, "▁t", "▁th", "▁the"]
    pairs = [("▁", "t"), ("▁t", "h"), ("▁th", "e")]
    backend = Backend(models.BPE({name: i for i, name in enumerate(names)}, pairs, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    backend.add_special_tokens(["<unk>", *SPECIAL])
    return backend


KINDS = {"bytewise": bytewise(), "spaced": spaced()}
IDS = {kind: {name: backend.token_to_id(name) for name in SPECIAL} for kind, backend in KINDS.items()}


def words(template: str | None = None, kind: str = "bytewise", ends=("</s>", "<|im_end|>")) -> Pretrained:
    ids = IDS[kind]
    unknown = KINDS[kind].token_to_id("<unk>")
    unknown = ids["</s>"] if unknown is None else unknown
    made = Tokenizer(KINDS[kind], Specials(ids["</s>"], unknown, ids["<s>"], ids["</s>"]))
    return Pretrained(made, made, template, {}, None, None, tuple(ids[end] for end in ends), NAMES)


def letters_only(letters: str) -> Pretrained:
    """BPE that knows some letters, and drops all others."""
    backend = Backend(models.BPE({name: i for i, name in enumerate(["</s>", *letters])}, []))
    backend.add_special_tokens([AddedToken("</s>", special=True, normalized=False)])
    made = Tokenizer(backend, Specials(0, 0, 0, 0))
    return Pretrained(made, made, None, {}, None, None, (0,), NAMES)


def talk(*said: str, learned: tuple[int, ...] | None = None) -> Conversation:
    """Turns of the user and the assistant."""
    messages = tuple({"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said))
    return Conversation(messages, tuple(range(1, len(said), 2)) if learned is None else learned)


def stretches(one: Masked, known: Pretrained) -> list[str]:
    """The text of an example, with a star before what is learnt."""
    return ["*" * trained + text for text, trained in shown(one, known.target)]


def only(masks: Masks) -> Masked:
    (one,) = masks
    return one


# --- by a chat template ----------------------------------------------------------------------------------------

saying = st.lists(
    st.sampled_from([*"abdhist<>|/_ []é.#", "the ", "<|im", "_end|>", "</s>", "<|im_end|>", "\n"]), max_size=9
).map(lambda parts: "".join(parts) + "x")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", [CHATML, MISTRAL], ids=["chatml", "mistral"])
@settings(deadline=None, max_examples=40)
@given(said=st.lists(st.tuples(saying, saying), min_size=1, max_size=3))
def test_what_is_learnt_is_what_transformers_marks(kind, template, said):
    """The oracle is its mask of the tag {% generation %}, for messages that name no special token.

    A token that lies across the border is learnt here and may not be there: its offset begins in the prompt.
    """
    transformers = pytest.importorskip("transformers")
    plain = [re.sub("|".join(map(re.escape, SPECIAL)), "e", text) for pair in said for text in pair]
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Backend.from_str(KINDS[kind].to_str()), bos_token="<s>", eos_token="</s>"
    )
    item = talk(*plain)
    expected = theirs.apply_chat_template(
        list(item.messages),
        chat_template=template,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    one = only(mask(words(template, kind), [item]))
    count = len(one.ids)
    assert list(one.ids) == expected["input_ids"][:count]
    wanted = expected["assistant_masks"][:count]
    assert not any(expected["assistant_masks"][count:])
    if template is CHATML:  # special tokens stand at both borders
        assert list(one.trained) == list(map(bool, wanted))
    else:
        ours = [i for i, trained in enumerate(one.trained) if trained]
        marked = [i for i, trained in enumerate(wanted) if trained]
        assert set(marked) <= {*ours, *(i - 1 for i in ours)}
        assert one.ids[ours[-1]] == IDS[kind]["</s>"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(saying, saying), min_size=1, max_size=3))
def test_no_message_can_end_its_turn(said):
    """As many learnt ends as answers, whatever a message holds."""
    known = words(CHATML)
    one = only(mask(known, [talk(*(text for pair in said for text in pair))]))
    ends = [token for token, trained in zip(one.ids, one.trained, strict=True) if trained and token in known.ends]
    assert ends == [IDS["bytewise"]["<|im_end|>"]] * len(said)


def test_all_answers_are_learnt_or_the_last_one_only():
    known = words(CHATML)
    item = talk("the dog?", "yes", "the cat?", "no")
    first = "<|im_start|>user\nthe dog?<|im_end|>\n<|im_start|>assistant\n"
    second = "\n<|im_start|>user\nthe cat?<|im_end|>\n<|im_start|>assistant\n"
    assert stretches(only(mask(known, [item])), known) == [first, "*yes<|im_end|>", second, "*no<|im_end|>"]
    last = only(mask(known, [replace(item, learned=(3,))]))
    assert stretches(last, known) == [f"{first}yes<|im_end|>{second}", "*no<|im_end|>"]


def test_a_template_that_forgets_gives_an_example_for_each_answer():
    """Each as the model will meet it: the thought of the turn that it writes, and none of the turns before."""
    known = words(FORGETFUL)
    masks = mask(known, [talk("a?", "hm|b"), talk("a?", "hm|b", "c?", "so|d")])
    assert [one.item for one in masks] == [0, 1, 1]
    asked = "<|im_start|>user\na?<|im_end|>\n<|im_start|>assistant\n"
    assert stretches(masks[1], known) == [asked, "*hm|b<|im_end|>"]
    assert stretches(masks[2], known) == [
        f"{asked}b<|im_end|>\n<|im_start|>user\nc?<|im_end|>\n<|im_start|>assistant\n",
        "*so|d<|im_end|>",
    ]
    assert masks[0].ids == masks[1].ids


def test_what_a_prompt_opens_beyond_the_turn_is_not_waited_for():
    known = words(OPENING)
    asked = "<|im_start|>user\na?<|im_end|>\n<|im_start|>assistant\n"
    assert stretches(only(mask(known, [talk("a?", "b")])), known) == [asked, "*b<|im_end|>"]


def test_a_template_that_changes_what_was_asked_is_refused():
    with pytest.raises(DataError, match=r"a.jsonl:7: a chat template that changes what was asked once message 2 has"):
        mask(words(CHANGING), [talk("a?", "b")], ["a.jsonl:7"])


def test_a_turn_without_an_end_gets_one_at_the_last():
    known = words(ENDLESS)
    one = only(mask(known, [talk("a?", "b", "c?", "d")]))
    text = "".join(stretches(one, known))
    assert text.replace("*", "") == "user: a?\nassistant: b\nuser: c?\nassistant: d\n</s>"
    assert one.trained[-1]
    assert one.ids.count(IDS["bytewise"]["</s>"]) == 1


def test_what_a_template_refuses_is_the_fault_of_a_row():
    known = words("{{ raise_exception('only users') if messages[0].role == 'assistant' }}" + CHATML)
    items = [talk("a?", "b"), replace(talk("x", "a?", "b"), messages=talk("", "x", "a?", "b").messages[1:])]
    items[1] = replace(items[1], learned=(2,))
    with pytest.raises(DataError, match=r'conversation 2: messages that the chat template refuses \("only users"\)'):
        mask(known, items)
    masks = mask(known, items, ["a:1", "a:2"], on_bad_row="skip")
    assert [one.item for one in masks] == [0]
    assert [fault.where for fault in masks.skipped] == ["a:2"]


def test_calls_of_tools_that_a_template_leaves_out_are_the_fault_of_a_row():
    """Learnt, they would be an answer of nothing; what a template writes of them is learnt."""
    calls = [{"type": "function", "function": {"name": "look", "arguments": {"at": "a"}}}]
    called = replace(talk("a?", ""), messages=({"role": "user", "content": "a?"},
                     {"role": "assistant", "content": "", "tool_calls": calls}))  # fmt: skip
    masks = mask(words(CHATML), [called, talk("a?", "b")], ["a:1", "a:2"], on_bad_row="skip")
    assert [one.item for one in masks] == [1]
    assert [fault.where for fault in masks.skipped] == ["a:1"]
    assert "leaves out the calls of tools in message 2" in masks.skipped[0].given
    known = words(
        CHATML.replace("message.content + '<|im_end|>'", "message.content ~ message.tool_calls ~ '<|im_end|>'")
    )
    assert "*[{'type': 'function', 'function': {'name': 'look'" in stretches(only(mask(known, [called])), known)[1]


# --- without one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_layout_is_that_of_alpaca(kind):
    known = words(None, kind)
    system = {"role": "system", "content": "Be brief."}
    item = replace(talk("the dog? ", "yes", "the cat?", "no"), learned=(2, 4))
    item = replace(item, messages=(system, *item.messages))
    one = only(mask(known, [item]))
    ends = [i for i, token in enumerate(one.ids) if token == known.ends[0]]
    first = "Be brief.\n\n### Instruction:\nthe dog?\n\n### Response:\n"
    learned = [known.target.decode([[t for t, on in zip(one.ids, one.trained, strict=True) if on]])[0]]
    assert learned == ["yesno"] if kind == "bytewise" else learned[0].replace(" ", "") == "yesno"
    if kind == "bytewise":
        second = "\n\n### Instruction:\nthe cat?\n\n### Response:\n"
        assert stretches(one, known) == [first, "*yes</s>", second, "*no</s>"]
    assert [one.trained[i] for i in ends] == [True, True]
    assert ends[-1] == len(one.ids) - 1


def test_a_bare_prompt_is_followed_letter_for_letter():
    known = words()
    one = only(mask_pairs(known, ["the dog is"], [" at home"]))
    assert stretches(one, known) == ["the dog is", "* at home</s>"]
    assert one.ids[:-1] == tuple(known.target.encode(["the dog is at home"])[0])
    assert stretches(only(mask_pairs(known, ["the do"], ["g"])), known) == ["the do", "*g</s>"]


@pytest.mark.parametrize("template", [None, CHATML])
def test_a_model_is_asked_as_it_was_trained(template):
    """What `prompt` gives is the beginning of the example, up to where the answer is learnt."""
    known = words(template)
    item = talk("the dog?", "yes", "the cat?", "no", learned=(3,))
    one = only(mask(known, [item]))
    start = one.trained.index(True)
    assert prompt(known, item.asked) == list(one.ids[:start])
    bare = exchange("the dog is", " at home")
    one = only(mask(words(), [bare]))
    assert prompt(words(), bare.asked, bare) == list(one.ids[: one.trained.index(True)])


def test_a_template_is_left_aside_where_that_is_asked():
    assert mask(words(CHATML), [talk("a", "b")], template=False)[0].ids == mask(words(), [talk("a", "b")])[0].ids


@pytest.mark.parametrize("longest", [2, 3, 5, 100])
def test_every_token_of_a_text_is_foreseen_once(longest):
    known = words()
    whole = [*known.target.encode(["the dog is at home"])[0], known.ends[0]]
    masks = mask_texts(known, ["the dog is at home"], longest=longest)
    assert max(len(one.ids) for one in masks) <= longest
    foreseen = [t for one in masks for t, on in zip(one.ids[1:], one.trained[1:], strict=True) if on]
    assert foreseen == whole[1:]
    assert masks.learned == len(whole) - 1
    assert all(one.ids[0] == before.ids[-1] for before, one in pairwise(masks))


def test_texts_and_conversations_keep_their_order():
    masks = mask(words(), [talk("a", "b"), Conversation(text="the dog"), talk("c", "d")])
    assert [one.item for one in masks] == [0, 1, 2]


# --- too long --------------------------------------------------------------------------------------------------


def test_what_is_too_long_is_refused_in_one_line():
    known = words()
    items = [talk("a", "b"), talk("the dog " * 9, "yes"), talk("the dog " * 9, "yes")]
    with pytest.raises(DataError) as caught:
        mask(known, items, ["a:1", "a:2", "a:3"], longest=40)
    long = len(mask(known, items)[1].ids)
    assert str(caught.value) == (
        f"a:2: {long} tokens of prompt and answer, the first of 2 such rows: needs 40 at most. "
        "Try --cut, which shortens the prompt, or --on-bad-row skip."
    )


@pytest.mark.parametrize("start", ["", "<s>"])
def test_a_prompt_is_cut_at_its_left_and_an_answer_never(start):
    known = words("{{ bos_token }}" + CHATML if start else CHATML)
    item = talk("the dog " * 20, "yes, the cat")
    whole = only(mask(known, [item]))
    masks = mask(known, [item], longest=30, cut=True)
    one = only(masks)
    kept = 1 if start else 0
    assert (len(one.ids), masks.cut, one.learned) == (30, 1, whole.learned)
    assert one.ids[kept:] == whole.ids[kept - 30 :]
    assert one.ids[:kept] == whole.ids[:kept]


def test_an_answer_that_would_be_cut_off_is_refused_also_where_prompts_are_cut():
    items = [talk("a", "the dog " * 20)]
    with pytest.raises(DataError, match=r"a:1: an answer of \d+ tokens, which would be cut off: needs 9 at most"):
        mask(words(CHATML), items, ["a:1"], longest=10, cut=True)
    assert mask(words(CHATML), items, ["a:1"], longest=10, cut=True, on_bad_row="skip").skipped[0].where == "a:1"


def test_the_rest_of_an_earlier_answer_is_not_learnt():
    known = words(CHATML)
    item = talk("a?", "the dog is at home", "b?", "yes")
    whole = only(mask(known, [item]))
    first = whole.trained.index(True)
    room = len(whole.ids) - first
    at_border = only(mask(known, [item], longest=room, cut=True))
    inside = only(mask(known, [item], longest=room - 1, cut=True))
    assert at_border.trained == whole.trained[first:]
    assert (inside.ids, inside.learned) == (whole.ids[first + 1 :], len(known.target.encode(["yes"])[0]) + 1)


# --- before a training -----------------------------------------------------------------------------------------


def faults(masks: Masks, ends=(9,)) -> list[str]:
    return [fault.given for fault in preflight(masks, ends, ["a:1", "a:2"])]


def test_what_makes_a_training_useless_is_told_before_it():
    good = Masked((1, 2, 9), (False, True, True), 0)
    dumb = Masked((1, 2, 9), (True, False, False), 1)
    assert faults(Masks((good, good))) == []
    assert faults(Masks((good, dumb))) == ["no token that is learnt"]
    assert next(preflight(Masks((good, dumb)), [9], ["a:1", "a:2"])).where == "a:2"
    assert faults(Masks((good, good)), ends=(8,)) == [
        "no learnt token that ends a text, so that the model would never stop"
    ]
    assert faults(Masks((good,))) == ["1 example to learn from"]
    skipped = mask(words(CHATML), [talk("a", "the dog " * 20)] * 2, longest=9, on_bad_row="skip")
    (given, *_) = faults(skipped)
    assert given.startswith("0 examples to learn from, as 2 were left out: an answer of ")


def test_a_row_that_teaches_nothing_is_left_out_where_bad_rows_are():
    """A text of letters that the tokenizer drops is its end alone, which nothing foresees."""
    known = letters_only("ab")
    texts = [Conversation(text=text) for text in ("ab", "日", "ba")]
    masks = mask(known, texts, ["a:1", "a:2", "a:3"])
    assert faults(masks, known.ends) == ["no token that is learnt"]
    assert "--on-bad-row skip" in next(preflight(masks, known.ends)).mend
    left = mask(known, texts, ["a:1", "a:2", "a:3"], on_bad_row="skip")
    assert [one.item for one in left] == [0, 2]
    assert [(fault.given, fault.where) for fault in left.skipped] == [("no token that is learnt", "a:2")]
    assert faults(left, known.ends) == []


def test_an_example_is_shown_with_its_special_tokens_and_letters_whole():
    known = words(CHATML)
    one = only(mask(known, [talk("é日?", "日é")]))
    assert shown(one, known.target)[1] == Segment("日é<|im_end|>", True)
    assert shown(one, known.target)[0].text.startswith("<|im_start|>user\né日?")
