"""Files -> Batch: what the user has on disk, as what a model reads.

    Text
    text           sentence pairs and labelled text from files; the door of this room for text
    instructions   what a model that writes is tuned on; the door of this room for those
    corpus         what is asked of the files, and what comes back
    files          bytes as lines: gzip, encodings, and what is no text at all
    readers        one format each: aligned lines, JSONL, Parquet; sheets: TSV, CSV; tmx: translation memories; objects:
                   JSON; dialect: what stands between cells, whether quotes quote
    filters        what is left out of training, counted
    splits         a part of the rows set aside, to validate on or to test
    phrasebook     a corpus that needs no file
    tokens         text to ids and back; how a vocabulary is learnt (subwords, settings), what is special (specials),
                   and other tokens in every epoch (variation)
    loader         ids to batches
    examples       the same for any task: labels, the next token, another text; packed, or mixed from two sources;
                   windows: of one long text
    batch          the batch
    pretrained     the tokenizer of a checkpoint, from whichever files it has: families (how each lays out its ids),
                   neighbours (the small files beside them), sentencepiece, pieces, conversion, sealing

    Conversations
    conversations  what is said, and which of it is learnt; messages: a row of a file as one
    chat           a conversation as a text: templates, without running what they say; turns: as ids
    masking        which tokens are learnt

    Checks before training
    checks         what the data of a task hold, a line a check; parts: what is checked, what is found
    labelchecks    of labels; nearness: texts that are nearly the same; mojibake: text read in the wrong encoding

    Tables
    columns        the columns of tables as numbers, block by block; the door of this room for statistics
    cells          what a number looks like; delimited, tablefiles: files in parts, larger than memory; tablewriting;
                   suspects: what nobody meant
    tally          how often each text of a column occurs
    table          time series from tables; the door of this room for forecasts, with its settings (tablesettings)
    timestamps     texts as dates and times; frequency: how far apart they are; calendar: what they tell
    mending        gaps, rows of one time, missing numbers: refused, or mended by flag
    series         series and their times, cut into training, validation and test
    timewindows    what is seen and what is foreseen, as batches

Nothing is imported here, so that who reads text does not wait for torch.
"""
