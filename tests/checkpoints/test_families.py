"""The gate: every family computes, learns, writes and is saved as transformers (the oracle) does it."""

import json
import shutil
import time
from dataclasses import replace

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from seqwise.checkpoints import hub, shards
from seqwise.checkpoints.families import Misfit
from seqwise.checkpoints.tensors import write_tensors
from seqwise.decoding import Repetition
from seqwise.decoding.drafters import Lookup

WORDS = ("CausalLM", "LMHead", "ConditionalGeneration", "MTModel")
WRITING = [case for case, (name, _, _) in tiny.CASES.items() if any(word in name for word in WORDS)]
DEAD = "cls.predictions.bias"
"""Stands in transformers' BERT beside the bias that is used; the same tensor where tables are shared."""
OWN = ("pooler.", "embed_positions.")
"""What transformers makes anew without asking for it: the pooler of a bare BERT, tables of sinusoids."""


@pytest.fixture(scope="module", params=tiny.CASES)
def one(request, tmp_path_factory):
    """Both sides of a case, made once."""
    return tiny.pair(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Both sides of a case by name, made once, for tests that look at a few."""
    known = {}

    def find(case):
        if case not in known:
            known[case] = tiny.pair(case, tmp_path_factory.mktemp(case))
        return known[case]

    return find


def saved(one, folder):
    """The folder, written from our model."""
    folder.mkdir(exist_ok=True)
    write_tensors(folder / "model.safetensors", hub.state(one.ours, one.checkpoint), {"format": "pt"})
    shutil.copy(one.checkpoint.folder / "config.json", folder)
    return folder


def same(one, other):
    """Every weight has the same bits."""
    mine, yours = dict(one.named_parameters()), dict(other.named_parameters())
    assert mine.keys() == yours.keys()
    return [name for name, weight in mine.items() if not torch.equal(weight, yours[name])]


# ---- every case


def test_logits_and_gradients_are_theirs(one):
    """fp32, three times three padded texts: logits within 1e-4, gradients within 1e-5 of the greatest one."""
    logits, slopes = tiny.errors(one)
    assert logits < 1e-4
    assert slopes < 1e-5


def test_every_weight_of_theirs_has_its_gradient_in_ours(one):
    """No weight that learns is one that we do not have, or that has no part in the answer."""
    compared = tiny.gradients(one, tiny.reading(one))
    idle = [name for name, weight in one.theirs.named_parameters() if weight.requires_grad and weight.grad is None]
    assert [name for name in idle if "pooler" not in name and name != DEAD] == []
    assert all(slope.abs().max() > 0 for slope, _ in compared.values())


def test_what_is_padded_changes_nothing(one):
    """Other tokens behind the end of a text, the same answers about the text."""
    given = tiny.reading(one)
    other = replace(given, ids=torch.where(given.real, given.ids, 50))
    with torch.no_grad():
        torch.testing.assert_close(tiny.our_logits(one.ours, other), tiny.our_logits(one.ours, given))


def test_saved_it_is_the_same_for_both_sides(one, tmp_path):
    """load -> save -> load is the identity, and transformers misses nothing and computes the same logits."""
    folder = saved(one, tmp_path / "again")
    assert same(one.ours, hub.load(hub.open_checkpoint(folder))) == []
    before, after = load_file(one.checkpoint.folder / "model.safetensors"), load_file(folder / "model.safetensors")
    both = before.keys() & after.keys() - {DEAD}
    assert [name for name in both if not torch.equal(before[name], after[name])] == []
    kind = type(one.theirs)
    back, told = kind.from_pretrained(folder, output_loading_info=True, attn_implementation="eager")
    lacking = [name for name in told.pop("missing_keys") if not any(part in name for part in OWN)]
    assert (lacking, [what for what, names in told.items() if names]) == ([], [])
    given = tiny.reading(one)
    with torch.no_grad():
        assert torch.equal(tiny.their_logits(back.eval(), given), tiny.their_logits(one.theirs, given))


def test_the_table_of_the_family_works_in_both_directions(one):
    """config.json -> settings -> config.json -> the same settings; T5's positions no run of ours has."""
    family, settings = one.checkpoint.family, one.checkpoint.family.read(one.checkpoint.config)
    if family.name in ("t5", "mt5"):
        with pytest.raises(Misfit, match=r"feed_forward\.activation"):
            family.write(settings)
    else:
        assert family.read(family.write(settings)) == settings


def test_in_bf16_it_is_as_close_as_theirs(one):
    """Mean distance from the fp32 logits, in bf16: ours is no further away than 1.3 times theirs."""
    if one.checkpoint.head.task == "labels":
        pytest.skip("some fifteen numbers are too few to compare means of")
    given = tiny.reading(one)
    ours = hub.load(one.checkpoint, torch.bfloat16)
    assert {weight.dtype for weight in ours.parameters()} == {torch.bfloat16}
    theirs = type(one.theirs).from_pretrained(one.checkpoint.folder, dtype=torch.bfloat16, attn_implementation="eager")
    with torch.no_grad():
        exact = tiny.our_logits(one.ours, given)
        mine, yours = tiny.our_logits(ours, given).float(), tiny.their_logits(theirs.eval(), given).float()
    assert (mine - exact).abs().mean() < 1.3 * (yours - exact).abs().mean()
    assert (mine - yours).abs().mean() < 0.05 * exact.abs().mean()


# ---- those that write


@pytest.mark.parametrize("case", WRITING)
@pytest.mark.parametrize("beams", [1, 4])
def test_it_writes_what_generate_writes(made, case, beams):
    """Prompts of unlike lengths at once, in theirs one at a time: the very same ids."""
    one = made(case)
    assert tiny.our_ids(one, tiny.PROMPTS, beams=beams) == tiny.their_ids(one, tiny.PROMPTS, num_beams=beams)


@pytest.mark.parametrize("case", [case for case in WRITING if any(word in tiny.CASES[case][0] for word in WORDS[:2])])
def test_what_was_there_before_is_drafted_and_what_is_written_stays(made, case):
    """Prompts that go round, so that drafts are both accepted and refused, one at a time; `generate` is the oracle."""
    one = made(case)
    drafter, loops = Lookup(), [[*prompt, *prompt[:3]] for prompt in tiny.PROMPTS]
    loops += [[*ids, *found, *ids] for ids, found in zip(loops, tiny.our_ids(one, loops, beams=1), strict=True)]
    expected = tiny.their_ids(one, loops)
    assert tiny.our_ids(one, loops, beams=1, batch=1, drafter=drafter) == expected
    assert 0 < drafter.tally.accepted < drafter.tally.drafted


NO_PAIRS, PENALTY = {"no_repeat_ngram_size": 2}, Repetition(1.3)
ASKED = {
    "nothing": (["llama", "gpt2", "bart", "t5"], {}, {}),
    "forced start": (["m2m", "bart-scaled", "t5"], {"forced_bos_token_id": 33}, {"forced": 33}),
    "early": (["llama", "marian", "t5"], {"early_stopping": True}, {"early": True}),
    "long": (["gemma3", "marian", "mbart", "m2m"], {"length_penalty": 2.0}, {"length_penalty": 2.0}),
    "short": (["gpt2", "bart", "m2m"], {"length_penalty": 0.5}, {"length_penalty": 0.5}),
    "no repeats": (["bart", "mbart", "t5", "marian", "gpt2", "llama", "qwen2"], NO_PAIRS, {"no_repeat": 2}),
    "no token twice": (["llama", "bart", "t5"], {"no_repeat_ngram_size": 1}, {"no_repeat": 1}),
    "both": (["gpt2", "qwen3"], {**NO_PAIRS, "repetition_penalty": 1.3}, {"no_repeat": 2, "repetition": PENALTY}),
    "at least": (["llama", "t5"], {"min_new_tokens": 6}, {"min_length": 6}),
    "penalty": (["gpt2", "qwen2", "t5", "marian"], {"repetition_penalty": 1.3}, {"repetition": PENALTY}),
}
"""What both sides are told besides further tokens that end, in their words and in ours."""


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize(("asked", "case"), [(asked, case) for asked, (cases, _, _) in ASKED.items() for case in cases])
def test_it_writes_what_generate_writes_however_it_is_told(made, asked, case, beams):
    """Length penalty and early stopping are of beams only, and greedy search must not mind them."""
    one, (_, theirs, ours) = made(case), ASKED[asked]
    prompts, free = tiny.PROMPTS[:3], tiny.our_ids(made(case), tiny.PROMPTS[:3])
    further = sorted({ids[min(i, len(ids) - 1)] for ids, i in zip(free, (3, 6, 8), strict=True)})  # outputs end early
    found = tiny.our_ids(one, prompts, beams=beams, also_end=further, **ours)
    ends = [one.checkpoint.config["eos_token_id"], *further]
    assert found == tiny.their_ids(one, prompts, num_beams=beams, eos_token_id=ends, **theirs)
    assert min(map(len, found)) < tiny.ROOM or asked == "long"


def test_what_is_forbidden_costs_beams_nothing_where_probabilities_are_made_anew(tmp_path):
    """Opus-MT's `renormalize_logits`, with a padding token that is likely and that `bad_words_ids` forbids."""
    one = tiny.pair("marian", tmp_path)
    likely = torch.tensor([95, 40])  # padding, and the first of another half of the vocabulary
    with torch.no_grad():
        one.theirs.final_logits_bias[0, likely] += 8.0
        one.ours.head.bias[likely] += 8.0
    prompts = [torch.randint(3, 70, (n,)).tolist() for n in range(2, 14)]
    theirs = {"num_beams": 4, "bad_words_ids": [[95], [40]]}
    expected = tiny.their_ids(one, prompts, **theirs, renormalize_logits=True)
    steering = {"forbidden": (95, 40)}
    assert tiny.our_ids(one, prompts, beams=4, steering={**steering, "renormalized": True}) == expected
    plain = tiny.their_ids(one, prompts, **theirs)
    assert tiny.our_ids(one, prompts, beams=4, steering=steering) == plain != expected


@pytest.mark.parametrize("case", WRITING)
def test_steps_equal_the_whole(made, case):
    """Prompts of unlike lengths read at once, then five tokens each step by step: the logits of the whole texts."""
    one, texts = made(case), [*tiny.PROMPTS, tiny.PROMPTS[2][:6]]
    written = torch.randint(3, 70, (len(texts), 5), generator=torch.Generator().manual_seed(5))
    heads = texts if one.reads_and_writes else [text[:-1] for text in texts]
    lengths = torch.tensor([len(text) for text in heads])
    inputs = torch.zeros(len(texts), int(lengths.max()), dtype=torch.int64)
    for row, text in zip(inputs, heads, strict=True):
        row[: len(text)] = torch.tensor(text)
    fed = torch.cat([torch.tensor([text[-1:] for text in texts]), written], 1)  # (B, 1 + 5)
    with torch.no_grad():
        state, steps = one.ours.start(one.ours.encode(inputs, lengths), 1, 8), []
        for t in range(6):
            logits, state = one.ours.step(fed[:, t], state)
            steps.append(logits)
        for i, text in enumerate(texts):
            if one.reads_and_writes:
                whole = one.ours(torch.tensor([text]), lengths[i : i + 1], fed[i : i + 1])[0]
            else:
                whole = one.ours(torch.tensor([[*text, *written[i].tolist()]]))[0, len(text) - 1 :]
            torch.testing.assert_close(torch.stack(steps, 1)[i], whole, atol=1e-5, rtol=1e-5)


# ---- pairs of texts


@pytest.mark.parametrize("case", ["bert-mlm", "bert-labels", "bert-bare", "electra-labels"])
def test_the_second_text_of_a_pair_is_told_from_the_first(made, case):
    one = made(case)
    given = tiny.reading(one)
    segments = (torch.arange(12) >= torch.tensor([4, 2, 7])[:, None]).long()
    with torch.no_grad():
        theirs = tiny.their_logits(one.theirs, given, token_type_ids=segments)
        ours = tiny.our_logits(one.ours, given, segments)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert not torch.allclose(ours, tiny.our_logits(one.ours, given), atol=1e-2)


# ---- files as they were written years ago


def old_rope(config):
    """`rope_theta` beside `rope_scaling`, whose kind is called `type`."""
    told = config.pop("rope_parameters")
    config["rope_theta"] = told.pop("rope_theta")
    told["type"] = told.pop("rope_type")
    config["rope_scaling"] = None if told["type"] == "default" else told


def old_gemma3(config):
    told = config.pop("rope_parameters")
    full = {key: value for key, value in told["full_attention"].items() if key != "rope_theta"}
    config |= {"rope_theta": told["full_attention"]["rope_theta"], "rope_scaling": full}
    config["rope_local_base_freq"] = told["sliding_attention"]["rope_theta"]
    config["sliding_window_pattern"] = 6
    del config["layer_types"]


def old_modernbert(config):
    told = config.pop("rope_parameters")
    config["global_rope_theta"] = told["full_attention"]["rope_theta"]
    config["local_rope_theta"] = told["sliding_attention"]["rope_theta"]
    config["global_attn_every_n_layers"] = 3
    del config["layer_types"]


def without(*keys):
    """The keys were not there yet, or said nothing."""

    def change(config):
        for key in keys:
            config.pop(key, None)

    return change


def nothing(config):
    """As it is."""


def bare(prefix):
    """Names without the prefix of the family."""
    return lambda tensors: {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def first_bert(tensors):
    """gamma and beta, the buffer of positions, and what told whether a sentence follows."""
    names = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
    renamed = {}
    for name, tensor in tensors.items():
        for new, old in names.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    relation = {"cls.seq_relationship.weight": torch.zeros(2, 24), "cls.seq_relationship.bias": torch.zeros(2)}
    pooler = {"bert.pooler.dense.weight": torch.zeros(24, 24), "bert.pooler.dense.bias": torch.zeros(24)}
    return {**renamed, **relation, **pooler, "bert.embeddings.position_ids": torch.arange(40)[None]}


def first_gpt2(tensors):
    """As OpenAI's weights stand on the hub: no prefix, and the causal mask of each layer as a tensor."""
    masks = {f"h.{i}.attn.bias": torch.ones(1, 1, 64, 64).tril() for i in range(3)}
    return bare("transformer.")(tensors) | masks | {"h.0.attn.masked_bias": torch.tensor(-1e4)}


def of_google(config):
    """mT5's files say that nothing is tied; and its gate goes without saying."""
    without("feed_forward_proj", "classifier_dropout", "dense_act_fn", "is_gated_act")(config)
    config["tie_word_embeddings"] = False


def both_tables(tensors):
    """The table of the tokens under the names of both stacks, and the projection by itself."""
    table = tensors["shared.weight"]
    return {**tensors, **{f"{side}.embed_tokens.weight": table.clone() for side in ("encoder", "decoder")}}


def with_angles(tensors):
    """The first Llamas stored their angles."""
    return {**tensors, "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(5)}


def all_tables(tensors):
    """Every name of the one table, as BART and T5 once wrote them, each with its numbers."""
    stem = "model." if "model.shared.weight" in tensors else ""
    table = tensors[f"{stem}shared.weight"]
    names = [f"{stem}encoder.embed_tokens.weight", f"{stem}decoder.embed_tokens.weight", "lm_head.weight"]
    return {**tensors, **{name: table.clone() for name in names}}


def relic_of_t5(tensors):
    """Distances between the two texts, which T5 1.0 stored and never used."""
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    return {**all_tables(tensors), name: torch.ones(32, 4)}


def whole_head(tensors):
    """A tied projection written out."""
    return {**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}


RELICS = {
    "llama": ("llama", old_rope, with_angles),
    "llama3": ("llama3", old_rope, dict),
    "linear": ("llama-linear", old_rope, dict),
    "yarn": ("llama-yarn", old_rope, dict),
    "dynamic": ("llama-dynamic", old_rope, dict),
    "no groups": ("llama-tied", without("num_key_value_heads", "head_dim"), whole_head),
    "mistral": ("mistral", old_rope, dict),
    "phi3": ("phi3", old_rope, with_angles),
    "qwen2": ("qwen2-window", without("layer_types"), dict),
    "qwen2 wide": ("qwen2", without("layer_types"), dict),
    "gemma2": ("gemma2", without("layer_types"), dict),
    "gemma3": ("gemma3-linear", old_gemma3, dict),
    "modernbert": ("modernbert-mlm", old_modernbert, dict),
    "bert": ("bert-mlm", without("tie_word_embeddings"), first_bert),
    "bert without prefix": ("bert-labels", nothing, bare("bert.")),
    "bert with prefix": ("bert-bare", nothing, lambda tensors: {f"bert.{name}": one for name, one in tensors.items()}),
    "gpt2": ("gpt2", without("n_inner", "tie_word_embeddings"), first_gpt2),
    "llama without prefix": ("llama-labels", nothing, bare("model.")),
    "t5": ("t5", without("scale_decoder_outputs", "tie_word_embeddings"), relic_of_t5),
    "mt5": ("mt5", of_google, both_tables),
    "bart": ("bart", without("tie_word_embeddings"), all_tables),
    "mbart": ("mbart", without("tie_word_embeddings"), all_tables),
    "marian": ("marian", without("share_encoder_decoder_embeddings", "decoder_vocab_size"), all_tables),
    "m2m": ("m2m", without("tie_word_embeddings"), all_tables),
}


@pytest.mark.parametrize("relic", RELICS)
def test_old_files_are_read_as_they_were_meant(made, relic, tmp_path):
    """The same weights in the form of years ago: the answers of transformers for today's form."""
    case, change, rename = RELICS[relic]
    one = made(case)
    config = json.loads((one.checkpoint.folder / "config.json").read_text())
    change(config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    tensors = rename(load_file(one.checkpoint.folder / "model.safetensors"))
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    found = hub.load(hub.open_checkpoint(tmp_path))
    assert same(found, one.ours) == []
    given = tiny.reading(one)
    with torch.no_grad():
        assert torch.equal(tiny.our_logits(found, given), tiny.our_logits(one.ours, given))
        expected = tiny.their_logits(one.theirs, given)
        torch.testing.assert_close(tiny.our_logits(found, given), expected, atol=1e-4, rtol=0)


def test_an_mt5_without_a_projection_of_its_own_has_the_table_there(made, tmp_path):
    """As transformers reads such a file; and what we write of it is the same for both sides."""
    one = made("mt5")
    shutil.copy(one.checkpoint.folder / "config.json", tmp_path)
    tensors = load_file(one.checkpoint.folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    theirs = type(one.theirs).from_pretrained(tmp_path, attn_implementation="eager").eval()
    found = hub.open_checkpoint(tmp_path)
    other = replace(one, theirs=theirs, ours=hub.load(found), checkpoint=found)
    given = tiny.reading(one)
    with torch.no_grad():
        expected = tiny.their_logits(theirs, given)
        torch.testing.assert_close(tiny.our_logits(other.ours, given), expected, atol=1e-4, rtol=0)
        back = type(theirs).from_pretrained(saved(other, tmp_path / "again"), attn_implementation="eager").eval()
        assert torch.equal(tiny.their_logits(back, given), expected)


def test_old_files_without_architectures_are_known_by_their_family(made, tmp_path):
    one = made("gpt2")
    config = json.loads((one.checkpoint.folder / "config.json").read_text())
    del config["architectures"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert hub.open_checkpoint(tmp_path).architecture == "GPT2LMHeadModel"


@pytest.mark.parametrize("case", ["llama", "gpt2"])
def test_threads_that_read_at_once_do_not_mix_their_weights(made, case, monkeypatch):
    """Converted and transposed ones, each thread slow enough to be overtaken by the others."""
    one, read = made(case), shards._read

    def slow(*given):
        read(*given)
        time.sleep(0.002)

    monkeypatch.setattr(shards, "_read", slow)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for dtype in (torch.float32, torch.bfloat16):
        found = hub.load(one.checkpoint, dtype)
        for ours, expected in zip(found.parameters(), one.ours.parameters(), strict=True):
            assert torch.equal(ours, expected.to(dtype))


def test_who_loads_may_make_the_parameters(tmp_path):
    """`store` gets each weight once, whole, and what it makes stands in every place of a shared one."""
    tiny.make("bert-mlm", tmp_path)
    seen = {}

    def store(name, weight):
        seen[name] = weight.clone()
        return torch.nn.Parameter(weight * 2)

    found = hub.open_checkpoint(tmp_path)
    plain, made = hub.load(found), hub.load(found, store=store)
    assert seen.keys() == dict(plain.named_parameters()).keys()
    for name, weight in plain.named_parameters():
        assert torch.equal(seen[name], weight)
        assert torch.equal(made.get_parameter(name), 2 * weight)
    assert made.head.weight is made.encoder.embed.weight
