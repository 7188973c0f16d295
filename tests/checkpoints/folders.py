"""Small checkpoints of the hub with tokenizers, as people have them: made by transformers, saved as it saves them."""

import json
import sys

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

TEXTS = [
    "I love machine learning.", "Paris is the capital of France.", "The cat sat on the mat.", "Hello, how are you?",
    "one two three four five six seven", "A man is eating food.", "user assistant system says nothing",
]  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def byte_tokenizer(special):
    """Byte-level BPE, as GPT-2's and Llama 3's."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=letters, show_progress=False)
    made.train_from_iterator(TEXTS * 3, trainer)
    return made


def word_pieces():
    """WordPiece, as BERT's."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(
        TEXTS * 3, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    )
    frame = [("[CLS]", 2), ("[SEP]", 3)]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", frame)
    return made


def save(folder, architecture, config, tokenizer, extra, seed=3):
    """Model and tokenizer, side by side; the oracle comes back."""
    torch.manual_seed(seed)
    model = getattr(transformers, architecture)(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" not in name.lower() and weight.requires_grad:
                weight.normal_(std=0.2)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **extra}))
    return model


def llama(folder, template=True):
    """A chat model."""
    special = ["<pad>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    tokenizer = byte_tokenizer(special)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [("<s>", 1)])
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=48, max_position_embeddings=128, pad_token_id=0, bos_token_id=1,
        eos_token_id=[2, 6],
    )  # fmt: skip
    told = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    return save(folder, "LlamaForCausalLM", config, tokenizer, told | ({"chat_template": TEMPLATE} if template else {}))


def bert(folder, architecture="BertForMaskedLM", **changes):
    """An encoder."""
    tokenizer = word_pieces()
    config = transformers.BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48, max_position_embeddings=24, **changes,
    )  # fmt: skip
    told = {
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
    }
    return save(folder, architecture, config, tokenizer, told)


def m2m(folder):
    """A translator between many languages."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "__en__", "__fr__", "__de__"]
    tokenizer = byte_tokenizer(special)
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", "$A $B </s>", [("</s>", 2)])
    config = transformers.M2M100Config(
        vocab_size=tokenizer.get_vocab_size(), d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48,
        max_position_embeddings=64,
    )  # fmt: skip
    told = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return save(folder, "M2M100ForConditionalGeneration", config, tokenizer, told)


def mbart(folder, fifty):
    """A translator between the languages of mBART-50, or of the first mBART, whose codes stand behind their text."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS * 3, trainers.UnigramTrainer(vocab_size=80, show_progress=False))
    learnt = [(piece, score) for piece, score in json.loads(made.to_str())["model"]["vocab"] if piece != "<unk>"]
    kind = transformers.MBart50Tokenizer if fifty else transformers.MBartTokenizer
    codes = sys.modules[kind.__module__].FAIRSEQ_LANGUAGE_CODES
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *learnt]
    vocabulary += [(name, 0.0) for name in (*codes, "<mask>")]
    tokenizer = kind(vocab=vocabulary, src_lang="en_XX", tgt_lang="fr_XX")
    config = transformers.MBartConfig(
        vocab_size=len(vocabulary), d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=48, decoder_ffn_dim=48, max_position_embeddings=64,
        scale_embedding=True, decoder_start_token_id=2 if fifty else None, dropout=0.0,
    )  # fmt: skip
    model = save(folder, "MBartForConditionalGeneration", config, tokenizer.backend_tokenizer, {})
    with torch.no_grad():  # or it would write its language again and again
        model.final_logits_bias[:, [token for name, token in tokenizer.get_vocab().items() if name in codes]] = -30.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer
