"""Tiny random checkpoints of every family, made by transformers, and what both sides compute with them: the gate.

bench/gate.py writes the errors measured here into docs/gate.json.
"""
# ruff: noqa: E501  # a table reads better with a case a line

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

from seqwise.checkpoints import hub
from seqwise.checkpoints.names import pieces
from seqwise.decoding import Generation, Ranking, Specials, decode
from seqwise.models.assemble import Pretrained

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

# Odd on purpose: a head width that is not width / heads, grouped keys, tied and not, biases on and off.
SIZE = {"hidden_size": 24, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 40, "vocab_size": 96}
GROUPED = {**SIZE, "num_key_value_heads": 2, "head_dim": 10, "max_position_embeddings": 64}
ENDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
LABELS = {"num_labels": 5}
BART = {"d_model": 24, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 2,
        "encoder_ffn_dim": 40, "decoder_ffn_dim": 36, "vocab_size": 96, "max_position_embeddings": 64}  # fmt: skip
T5 = {"d_model": 24, "d_kv": 10, "d_ff": 40, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4, "vocab_size": 96,
      "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}  # fmt: skip
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}

CASES = {
    "bert-mlm": ("BertForMaskedLM", "BertConfig", {**SIZE, "max_position_embeddings": 40}),
    "bert-untied": ("BertForMaskedLM", "BertConfig", {**SIZE, "tie_word_embeddings": False, "hidden_act": "relu"}),
    "bert-labels": ("BertForSequenceClassification", "BertConfig", {**SIZE, **LABELS}),
    "bert-tokens": ("BertForTokenClassification", "BertConfig", {**SIZE, **LABELS}),
    "bert-bare": ("BertModel", "BertConfig", {**SIZE, "type_vocab_size": 3}),
    "roberta-mlm": ("RobertaForMaskedLM", "RobertaConfig", {**SIZE, "max_position_embeddings": 40, "type_vocab_size": 1}),
    "roberta-labels": ("RobertaForSequenceClassification", "RobertaConfig", {**SIZE, **LABELS}),
    "roberta-tokens": ("RobertaForTokenClassification", "RobertaConfig", {**SIZE, **LABELS}),
    "roberta-bare": ("RobertaModel", "RobertaConfig", SIZE),
    "xlm-roberta-mlm": ("XLMRobertaForMaskedLM", "XLMRobertaConfig", {**SIZE, "max_position_embeddings": 40, "type_vocab_size": 1}),
    "xlm-roberta-labels": ("XLMRobertaForSequenceClassification", "XLMRobertaConfig", {**SIZE, **LABELS}),
    "distilbert-mlm": ("DistilBertForMaskedLM", "DistilBertConfig", {"dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40, "vocab_size": 96}),
    "distilbert-labels": ("DistilBertForSequenceClassification", "DistilBertConfig", {"dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40, "vocab_size": 96, **LABELS}),
    "distilbert-tokens": ("DistilBertForTokenClassification", "DistilBertConfig", {"dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40, "vocab_size": 96, **LABELS}),
    "distilbert-bare": ("DistilBertModel", "DistilBertConfig", {"dim": 24, "n_layers": 2, "n_heads": 4, "hidden_dim": 40, "vocab_size": 96}),
    "electra": ("ElectraForPreTraining", "ElectraConfig", {**SIZE, "embedding_size": 24, "max_position_embeddings": 40, "hidden_act": "gelu_new"}),
    "electra-mlm": ("ElectraForMaskedLM", "ElectraConfig", {**SIZE, "embedding_size": 24}),
    "electra-untied": ("ElectraForMaskedLM", "ElectraConfig", {**SIZE, "embedding_size": 24, "tie_word_embeddings": False, "hidden_act": "relu"}),
    "electra-labels": ("ElectraForSequenceClassification", "ElectraConfig", {**SIZE, **LABELS, "embedding_size": 24, "hidden_act": "relu"}),
    "electra-tokens": ("ElectraForTokenClassification", "ElectraConfig", {**SIZE, **LABELS, "embedding_size": 24, "type_vocab_size": 3}),
    "electra-bare": ("ElectraModel", "ElectraConfig", {**SIZE, "embedding_size": 24}),
    "modernbert-mlm": ("ModernBertForMaskedLM", "ModernBertConfig", {**SIZE, **ENDS, "local_attention": 6, "num_hidden_layers": 5}),
    "modernbert-untied": ("ModernBertForMaskedLM", "ModernBertConfig", {**SIZE, **ENDS, "local_attention": 4, "tie_word_embeddings": False, "norm_bias": True, "attention_bias": True, "mlp_bias": True, "classifier_bias": True, "decoder_bias": False}),
    "modernbert-labels": ("ModernBertForSequenceClassification", "ModernBertConfig", {**SIZE, **ENDS, **LABELS, "classifier_pooling": "mean"}),
    "modernbert-tokens": ("ModernBertForTokenClassification", "ModernBertConfig", {**SIZE, **ENDS, **LABELS}),
    "modernbert-bare": ("ModernBertModel", "ModernBertConfig", {**SIZE, **ENDS}),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 24, "n_layer": 3, "n_head": 4, "vocab_size": 96, "n_positions": 64, "bos_token_id": 2, "eos_token_id": 2}),
    "gpt2-untied": ("GPT2LMHeadModel", "GPT2Config", {"n_embd": 24, "n_layer": 2, "n_head": 4, "n_inner": 30, "vocab_size": 96, "tie_word_embeddings": False, "bos_token_id": 2, "eos_token_id": 2}),
    "gpt2-labels": ("GPT2ForSequenceClassification", "GPT2Config", {"n_embd": 24, "n_layer": 2, "n_head": 4, "vocab_size": 96, "pad_token_id": 0, **LABELS}),
    "gpt2-tokens": ("GPT2ForTokenClassification", "GPT2Config", {"n_embd": 24, "n_layer": 2, "n_head": 4, "vocab_size": 96, **LABELS}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**GROUPED, **ENDS}),
    "llama-tied": ("LlamaForCausalLM", "LlamaConfig", {**SIZE, **ENDS, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True}),
    "llama3": ("LlamaForCausalLM", "LlamaConfig", {**GROUPED, **ENDS, "rope_parameters": LLAMA3}),
    "llama-linear": ("LlamaForCausalLM", "LlamaConfig", {**GROUPED, **ENDS, "rope_parameters": {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0}}),
    "llama-yarn": ("LlamaForCausalLM", "LlamaConfig", {**GROUPED, **ENDS, "rope_parameters": YARN}),
    "llama-dynamic": ("LlamaForCausalLM", "LlamaConfig", {**GROUPED, **ENDS, "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}),
    "llama-labels": ("LlamaForSequenceClassification", "LlamaConfig", {**GROUPED, **ENDS, **LABELS}),
    "llama-tokens": ("LlamaForTokenClassification", "LlamaConfig", {**GROUPED, **ENDS, **LABELS}),
    "llama-bare": ("LlamaModel", "LlamaConfig", {**GROUPED, **ENDS}),
    "mistral": ("MistralForCausalLM", "MistralConfig", {**GROUPED, **ENDS, "sliding_window": 5}),
    "mistral-wide": ("MistralForCausalLM", "MistralConfig", {**GROUPED, **ENDS, "sliding_window": None}),
    "mistral-labels": ("MistralForSequenceClassification", "MistralConfig", {**GROUPED, **ENDS, **LABELS}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", {**SIZE, **ENDS, "num_key_value_heads": 2}),
    "qwen2-window": ("Qwen2ForCausalLM", "Qwen2Config", {**SIZE, **ENDS, "num_key_value_heads": 1, "tie_word_embeddings": True, "use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}),
    "qwen2-labels": ("Qwen2ForSequenceClassification", "Qwen2Config", {**SIZE, **ENDS, **LABELS, "num_key_value_heads": 2}),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {**GROUPED, **ENDS}),
    "qwen3-bias": ("Qwen3ForCausalLM", "Qwen3Config", {**GROUPED, **ENDS, "attention_bias": True, "tie_word_embeddings": True}),
    "qwen3-labels": ("Qwen3ForSequenceClassification", "Qwen3Config", {**GROUPED, **ENDS, **LABELS}),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", {**SIZE, **ENDS, "num_key_value_heads": 2, "max_position_embeddings": 64, "sliding_window": 5}),
    "phi3-wide": ("Phi3ForCausalLM", "Phi3Config", {**SIZE, **ENDS, "head_dim": 10, "rope_parameters": {"rope_type": "default", "rope_theta": 5e3}, "tie_word_embeddings": True}),
    "phi3-labels": ("Phi3ForSequenceClassification", "Phi3Config", {**SIZE, **ENDS, **LABELS, "num_key_value_heads": 1}),
    "phi3-tokens": ("Phi3ForTokenClassification", "Phi3Config", {**SIZE, **ENDS, **LABELS}),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", {**GROUPED, **ENDS, "sliding_window": 5, "query_pre_attn_scalar": 7, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}),
    "gemma2-labels": ("Gemma2ForSequenceClassification", "Gemma2Config", {**GROUPED, **ENDS, **LABELS}),
    "gemma3": ("Gemma3ForCausalLM", "Gemma3TextConfig", {**GROUPED, **ENDS, "sliding_window": 5, "query_pre_attn_scalar": 7, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
    "gemma3-linear": ("Gemma3ForCausalLM", "Gemma3TextConfig", {**GROUPED, **ENDS, "num_hidden_layers": 7, "sliding_window": 4, "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
    "t5-1.1": ("T5ForConditionalGeneration", "T5Config", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", T5),
    "mt5-relu": ("MT5ForConditionalGeneration", "MT5Config", {**T5, "num_heads": 3, "num_decoder_layers": 3, "feed_forward_proj": "relu"}),
    "bart": ("BartForConditionalGeneration", "BartConfig", {**BART, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2, "forced_eos_token_id": 2}),
    "bart-scaled": ("BartForConditionalGeneration", "BartConfig", {**BART, "scale_embedding": True, "activation_function": "gelu_new", "forced_bos_token_id": 0}),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", {**BART, "decoder_start_token_id": 2, "scale_embedding": True, "activation_function": "relu", "forced_bos_token_id": 33}),
    "mbart-25": ("MBartForConditionalGeneration", "MBartConfig", {**BART, "encoder_layers": 3, "decoder_layers": 2, "decoder_start_token_id": 90}),
    "marian": ("MarianMTModel", "MarianConfig", {**BART, "vocab_size": 96, "pad_token_id": 95, "eos_token_id": 0, "decoder_start_token_id": 95, "scale_embedding": True, "activation_function": "swish", "forced_eos_token_id": 0}),
    "marian-separate": ("MarianMTModel", "MarianConfig", {**BART, "vocab_size": 96, "decoder_vocab_size": 80, "share_encoder_decoder_embeddings": False, "pad_token_id": 79, "eos_token_id": 0, "decoder_start_token_id": 79}),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", {**BART, "vocab_size": 96, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0, "scale_embedding": True, "activation_function": "relu", "forced_eos_token_id": 1}),
    "m2m": ("M2M100ForConditionalGeneration", "M2M100Config", {**BART, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}),
}  # fmt: skip


def make(case, folder, seed=0):
    """Save the checkpoint; the oracle comes back, ready to compute. Weights are large enough to tell errors apart."""
    architecture, config, sizes = CASES[case]
    made = getattr(transformers, config)(**sizes)
    torch.manual_seed(seed)
    model = getattr(transformers, architecture)._from_config(made, attn_implementation="eager").eval()
    if case in ("t5-1.1", "mt5", "mt5-relu"):  # files of T5 1.1 and mT5 have a projection of their own
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not weight.requires_grad:  # Marian's sinusoids
                continue
            if "norm" not in name.lower() and "ln_" not in name:
                weight.normal_(std=0.15)
            else:
                weight.add_(torch.randn_like(weight) * 0.1)
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias.normal_()
        if case == "m2m":  # or it would write its start token, which is its end token, at once
            model.get_input_embeddings().weight[2] *= 0.2
    model.save_pretrained(folder)
    return model


@dataclass(frozen=True)
class Pair:
    """One checkpoint, as both sides compute with it."""

    case: str
    theirs: transformers.PreTrainedModel
    ours: Pretrained
    checkpoint: hub.Checkpoint

    @property
    def reads_and_writes(self) -> bool:
        """Whether it is an encoder-decoder."""
        return bool(self.checkpoint.config.get("is_encoder_decoder"))

    @property
    def writes(self) -> bool:
        """Whether it can write a text."""
        return self.checkpoint.head.task == "tokens"


def pair(case, folder):
    """Both sides of a case."""
    theirs = make(case, folder)
    found = hub.open_checkpoint(Path(folder))
    return Pair(case, theirs, hub.load(found), found)


@dataclass(frozen=True)
class Reading:
    """Three texts of unlike lengths, padded, and three outputs so far for models that write another."""

    ids: torch.Tensor
    lengths: torch.Tensor
    shifted: torch.Tensor | None

    @property
    def real(self):
        """What is no padding, (B, T)."""
        return torch.arange(self.ids.shape[1]) < self.lengths[:, None]


def reading(one, seed=0, lengths=(9, 4, 12)):
    """Drawn anew for each seed."""
    drawn = torch.Generator().manual_seed(seed)
    source, target = one.checkpoint.sizes
    lengths = torch.tensor(lengths)
    longest = int(lengths.max())
    real = torch.arange(longest) < lengths[:, None]
    ids = torch.randint(3, min(source, target or source) - 1, (len(lengths), longest), generator=drawn)
    ids = ids.masked_fill(~real, one.checkpoint.config.get("pad_token_id") or 0)
    shifted = torch.randint(3, 70, (len(lengths), 7), generator=drawn) if one.reads_and_writes else None
    return Reading(ids, lengths, shifted)


def their_logits(model, given, **further):
    """What transformers answers, or the vectors where the model has no head; padded positions left out."""
    more = further if given.shifted is None else {**further, "decoder_input_ids": given.shifted}
    found = model(input_ids=given.ids, attention_mask=given.real.long(), **more)
    if isinstance(model, transformers.ElectraForPreTraining):  # one number a token, without a dimension of its own
        return _real(found.logits[..., None], given)
    return _real(found.logits if hasattr(found, "logits") else found.last_hidden_state, given)


def our_logits(model, given, segments=None):
    """The same of ours."""
    if given.shifted is not None:
        return model(given.ids, given.lengths, given.shifted)
    told = (given.ids, given.lengths) if segments is None else (given.ids, given.lengths, segments)
    return _real(model(*told), given)


def _real(found, given):
    if given.shifted is not None or found.ndim == 2:
        return found
    return found[given.real]


def gradients(one, given):
    """Name -> gradient of theirs and of ours, for the same random weights on the logits."""
    for model in (one.theirs, one.ours):
        model.zero_grad()
    expected, found = their_logits(one.theirs, given), our_logits(one.ours, given)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    mine = {}
    checkpoint = one.checkpoint
    prefix = "" if checkpoint.head.task == "vectors" else checkpoint.family.prefix
    own = dict(one.ours.named_parameters())
    for name, parts in pieces(checkpoint.family, checkpoint.head, one.ours, prefix).items():
        for part in parts:
            slope = own[name].grad[part.first : part.first + part.rows]
            slope = slope.t() if part.transposed else slope
            mine = {**dict.fromkeys(part.names, slope), **mine, part.names[0]: slope}
    names: dict[torch.Tensor, list[str]] = {}
    for name, weight in one.theirs.named_parameters(remove_duplicate=False):  # a tied weight has several
        if weight.grad is not None:
            names.setdefault(weight, []).append(name)
    known = {next((name for name in all_names if name in mine), all_names[0]): w.grad for w, all_names in names.items()}
    return {name: (slope, mine[name]) for name, slope in known.items()}


def errors(one):
    """Greatest difference of logits over three readings of three texts, and of gradients as a share of the greatest."""
    readings = [reading(one, seed) for seed in range(3)]
    with torch.no_grad():
        apart = [(their_logits(one.theirs, given) - our_logits(one.ours, given)).abs().max() for given in readings]
    slopes = gradients(one, readings[0]).values()
    greatest = max(float(slope.abs().max()) for slope, _ in slopes)
    return max(map(float, apart)), max(float((a - b).abs().max()) for a, b in slopes) / greatest


PROMPTS = [torch.randint(3, 70, (n,), generator=torch.Generator().manual_seed(n)).tolist() for n in (9, 4, 12, 1)]
ROOM = 8


def their_ids(one, prompts, **settings):
    """What `generate` writes, one prompt at a time, without the end token."""
    ends = settings.get("eos_token_id", one.checkpoint.config["eos_token_id"])
    ends = [ends] if isinstance(ends, int) else ends
    found = []
    for prompt in prompts:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # flags of sampling that greedy search does not read, and the like
            ids = one.theirs.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                **{"max_new_tokens": ROOM, "do_sample": False, **settings},
            )[0].tolist()
        ids = ids[1:] if one.reads_and_writes else ids[len(prompt) :]
        found.append(ids[: next((i for i, token in enumerate(ids) if token in ends), len(ids))])
    return found


def our_ids(
    one, prompts, also_end: Sequence[int] = (), forced=None, early=False, steering=(), drafter=None, **settings
):
    """What ours writes, all prompts in one batch. steering: further `Specials`, by name."""
    config = one.checkpoint.config
    specials = Specials(
        config.get("decoder_start_token_id") or 0,
        config["eos_token_id"],
        config.get("pad_token_id") or 0,
        also_end=tuple(also_end),
        forced=config.get("forced_bos_token_id") if forced is None else forced,
        forced_end=config.get("forced_eos_token_id") is not None,
        bounded=False,
        **dict(steering),
    )
    made = Generation(**{"length_penalty": 1.0, "ranking": Ranking("mean", early), "max_length": ROOM, **settings})
    if one.reads_and_writes:
        found = decode(one.ours, prompts, made, specials)
    else:
        starts = [prompt[-1] for prompt in prompts]
        found = decode(one.ours, [prompt[:-1] for prompt in prompts], made, specials, starts=starts, drafter=drafter)
    return [list(best.ids) for best, *_ in found]
