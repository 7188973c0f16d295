"""Files -> Batch: what the user has on disk, as what a model reads.

    text           sentence pairs and labelled text from files; the door of this room for text
    corpus         what is asked of the files, and what comes back
    files          bytes as lines: gzip, encodings, and what is no text at all
    readers, tmx   one format each: aligned lines, TSV, CSV, JSONL, Parquet; translation memories
    filters        what is left out of training, counted; a part set aside for validation
    phrasebook     a corpus that needs no file
    tokens         text to ids and back; how a vocabulary is learnt (subwords), what is special (specials)
    loader         ids to batches
    examples       the same for any task: labels, the next token, another text; packed, or mixed from two sources
    batch          the batch
    pretrained     the tokenizer of a checkpoint, from whichever files it has: families (how each lays out its ids),
                   neighbours (the small files beside them), sentencepiece, pieces, conversion, sealing
    chat           a conversation as a text: templates, without running what they say
    settings       how a tokenizer is learnt

    columns        the columns of tables as numbers, block by block; the door of this room for statistics
    cells          what a number looks like; delimited, tablefiles: files in parts, larger than memory
    table          time series from tables; the door of this room for forecasts, with its settings (tablesettings)
    timestamps     texts as dates and times; frequency: how far apart they are; calendar: what they tell
    mending        gaps, rows of one time, missing numbers: refused, or mended by flag
    series         series and their times, cut into training, validation and test
    timewindows    what is seen and what is foreseen, as batches

Nothing is imported here, so that who reads text does not wait for torch.
"""
