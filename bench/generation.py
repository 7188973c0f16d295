"""Generation beside others: a Llama of 110 M, 64 tokens of prompt and 128 written, greedily, alone and 16 at once.

    python bench/generation.py FOLDER [sentences at once] [rounds] [arms]

FOLDER is where the random checkpoint is kept, made if it is not there. Arms, all in one process and in turn: bf16 and
int8 are ours, bf16d and bf16l are bf16 with drafts by int8 and by lookup, hf16 and hf32 are transformers' `generate`,
ct8 is CTranslate2's int8 with one thread, where it is installed. Each round has its own prompts. Seconds are the
wall's and, since others share the machine, the processor's. What random weights write repeats itself, so drafts by
lookup are accepted more often than those of texts would be.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from _work import tell, timed
from seqwise import device
from seqwise.checkpoints import hub
from seqwise.decoding import Drafting, Generation, Specials, decode
from seqwise.decoding.drafters import Cheaper, Lookup
from seqwise.decoding.drafting import Drafter
from seqwise.models.compact import settle
from seqwise.models.linear import instructions
from seqwise.models.twin import twin

PROMPT, NEW, VOCABULARY, WIDTH, LAYERS, INNER = 64, 128, 32_000, 768, 12, 2048
WEIGHTS = LAYERS * (4 * WIDTH**2 + 3 * WIDTH * INNER) + VOCABULARY * WIDTH  # read at every step
BYTES = {"bf16": 2, "bf16d": 2, "bf16l": 2, "int8": 1, "hf16": 2, "hf32": 4, "fp32": 4, "ct8": 1}
END = VOCABULARY - 1

Rows = list[list[int]]


def checkpoint(folder: Path) -> Path:
    """A random one, as transformers makes it."""
    if not (folder / "config.json").exists():
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(0)
        shape = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=WIDTH,
            intermediate_size=INNER,
            num_hidden_layers=LAYERS,
            num_attention_heads=12,
            num_key_value_heads=12,
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            pad_token_id=0,
        )
        LlamaForCausalLM(shape).save_pretrained(folder)
    return folder


def loaded(folder: Path, precision: str) -> Any:
    """Our model, as `seqwise predict` opens it."""
    narrow = precision == "bf16" and instructions()
    return settle(hub.load(hub.open_checkpoint(folder), torch.bfloat16 if narrow else torch.float32), precision)


def ours(model: Any, drafter: Drafter | None = None) -> Callable[[Rows], Rows]:
    """Seqwise."""
    made = Generation(beams=1, min_length=NEW, max_length=NEW, drafting=Drafting("none" if drafter is None else "int8"))
    specials = Specials(1, END, 0, bounded=False)

    def write(prompts: Rows) -> Rows:
        starts = [p[-1] for p in prompts]
        found = decode(model, [p[:-1] for p in prompts], made, specials, starts=starts, drafter=drafter)
        return [list(best[0].ids) for best in found]

    return write


def transformers(folder: Path, dtype: torch.dtype) -> Callable[[Rows], Rows]:
    """Hugging Face."""
    from transformers import LlamaForCausalLM, logging

    logging.set_verbosity_error()
    model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    model.generation_config.eos_token_id = END

    @torch.inference_mode()
    def write(prompts: Rows) -> Rows:
        given = torch.tensor(prompts)
        seen = torch.ones_like(given)
        told = {"do_sample": False, "min_new_tokens": NEW, "max_new_tokens": NEW}
        return model.generate(given, attention_mask=seen, **told)[:, PROMPT:].tolist()

    return write


def ctranslate2(folder: Path) -> Callable[[Rows], Rows]:
    """OpenNMT's engine."""
    import ctranslate2 as engine
    from ctranslate2.converters.transformers import LlamaLoader
    from transformers import LlamaForCausalLM

    place = folder / "ctranslate2"
    if not place.exists():
        model = LlamaForCausalLM.from_pretrained(folder).eval()
        model.config.rope_theta, model.config.rope_scaling = 10_000.0, None
        spec = LlamaLoader().get_model_spec(model)
        spec.register_vocabulary([f"w{i}" for i in range(VOCABULARY)])
        spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "w1", f"w{END}", "w3"
        spec.validate()
        spec.optimize(quantization=None)
        place.mkdir()
        spec.save(str(place))
    generator = engine.Generator(str(place), device="cpu", compute_type="int8", intra_threads=1)

    def write(prompts: Rows) -> Rows:
        words = [[f"w{i}" for i in row] for row in prompts]
        made = generator.generate_batch(
            words, beam_size=1, min_length=NEW, max_length=NEW, include_prompt_in_result=False
        )
        return [[int(word[1:]) for word in one.sequences[0]] for one in made]

    return write


def main(folder: str, count: int = 1, rounds: int = 5, arms: Sequence[str] = ("bf16", "int8", "hf16", "hf32")) -> None:
    """Write in turn and tell how fast."""
    device.keep_memory()
    place = checkpoint(Path(folder))
    bf16 = cache(lambda: loaded(place, "bf16"))  # one for three arms
    drafters = {"bf16d": cache(lambda: Cheaper(twin(bf16()))), "bf16l": cache(Lookup)}
    makers: dict[str, Callable[[], Any]] = {
        "fp32": lambda: ours(loaded(place, "fp32")),
        "bf16": lambda: ours(bf16()),
        "bf16d": lambda: ours(bf16(), drafters["bf16d"]()),
        "bf16l": lambda: ours(bf16(), drafters["bf16l"]()),
        "int8": lambda: ours(loaded(place, "int8")),
        "hf16": lambda: transformers(place, torch.bfloat16),
        "hf32": lambda: transformers(place, torch.float32),
        "ct8": lambda: ctranslate2(place),
    }
    writers = {arm: makers[arm]() for arm in arms}
    wall: dict[str, list[float]] = {arm: [] for arm in arms}
    processor: dict[str, list[float]] = {arm: [] for arm in arms}
    for turn in range(rounds + 1):
        prompts = torch.randint(5, END, (count, PROMPT)).tolist()
        for arm, write in writers.items():
            clock, used = time.perf_counter(), time.process_time()
            written = write(prompts)
            spent = time.perf_counter() - clock, time.process_time() - used
            if any(len(row) != NEW for row in written):
                raise SystemExit(f"{arm}: not {NEW} tokens each")
            if turn:  # the first is set-up
                wall[arm].append(spent[0])
                processor[arm].append(spent[1])
    source = torch.ones(2**26)  # written to: fresh pages are all the same one
    bandwidth = source.numel() * 4 / timed(lambda: source.sum(), 7)  # bytes a second, read
    for arm in arms:
        seconds = statistics.median(wall[arm])
        tell(
            bench="generation",
            arm=arm,
            batch=count,
            tok_s=count * NEW / seconds,
            step_ms=1e3 * seconds / NEW,
            step_ms_spread=[round(1e3 * f(wall[arm]) / NEW, 2) for f in (min, max)],
            processor_ms=1e3 * statistics.median(processor[arm]) / NEW,
            floor_ms=1e3 * WEIGHTS * BYTES[arm] / bandwidth,
            threads=torch.get_num_threads(),
        )
        if arm in drafters:
            tally = drafters[arm]().tally
            share = tally.accepted / max(1, tally.drafted)
            a_step = (tally.steps + tally.accepted) / tally.steps
            tell(bench="generation", arm=arm, drafted=tally.drafted, accepted_share=share, tokens_a_step=a_step)
        for peer in (other for other in arms if other.startswith(("hf", "ct")) and not arm.startswith(("hf", "ct"))):
            ratios = [theirs / own for theirs, own in zip(wall[peer], wall[arm], strict=True)]
            busy = [theirs / own for theirs, own in zip(processor[peer], processor[arm], strict=True)]
            tell(
                bench="generation",
                ours=arm,
                peer=peer,
                batch=count,
                ratio=statistics.median(ratios),
                spread=[round(min(ratios), 2), round(max(ratios), 2)],
                processor_ratio=statistics.median(busy),
            )


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:4]), *(arms.split(",") for arms in sys.argv[4:5]))
