"""Score a run on Multi30k's test_2016_flickr as the literature does, and as users see it.

    python bench/multi30k.py RUN[,RUN ...] DATA [beams] [bleu|chrf]

Several runs decide together; as they were set, or with so many beams and minimum Bayes risk among them. DATA holds
test_2016_flickr.en.gz, .fr.gz and .lc.norm.tok.fr.gz.

Published figures are BLEU on lower-cased text that Moses normalized and tokenized. So outputs are lower-cased,
normalized and tokenized the same way (sacremoses), and compared with the tokenized reference. That the way is the same
is checked first: the raw reference, treated like an output, must score nearly 100. Needs `pip install sacremoses`.
"""

import gzip
import sys
from dataclasses import replace
from pathlib import Path

from sacremoses import MosesPunctNormalizer, MosesTokenizer

from _work import tell
from seqwise.metrics.text import bleu, chrf
from seqwise.tasks.stored import open_translator


def read(path: Path) -> list[str]:
    """Lines of a gzipped file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def main(run: str, data: str, beams: int = 0, mbr: str = "none") -> None:
    """Translate and score."""
    folder = Path(data)
    source, raw = (read(folder / f"test_2016_flickr.{side}.gz") for side in ("en", "fr"))
    tokenized = read(folder / "test_2016_flickr.lc.norm.tok.fr.gz")
    normalize, cut = MosesPunctNormalizer("fr"), MosesTokenizer("fr")

    def moses(text: str) -> str:
        return cut.tokenize(normalize.normalize(text.lower()), return_str=True, escape=True)

    tell(bench="multi30k", check=bleu([moses(text) for text in raw], tokenized, tokenize="none").value)
    translator, settings = open_translator(run.split(","), "cpu")
    ranking = replace(settings.generation.ranking, mbr=mbr)
    made = replace(settings.generation, ranking=ranking, beams=beams or settings.generation.beams)
    outputs = [best[0].text for best in translator.translate(source, made)]
    score = bleu([moses(text) for text in outputs], tokenized, tokenize="none")
    tell(
        bench="multi30k",
        run=run,
        beams=made.beams,
        mbr=mbr,
        lc_tok_bleu=score.value,
        interval=score.interval,
        signature=score.signature,
    )
    for score in (
        bleu(outputs, raw),
        bleu(outputs, raw, lowercase=True),
        chrf(outputs, raw),
        chrf(outputs, raw, lowercase=True),
    ):
        tell(bench="multi30k", run=run, score=score.name, value=score.value, interval=score.interval)
        tell(bench="multi30k", signature=score.signature)


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]), *sys.argv[4:5])
