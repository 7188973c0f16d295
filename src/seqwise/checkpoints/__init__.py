"""Weights in and out: our run folder, checkpoints of the hub, and vectors of words that others trained.

    run            the run folder: what stands in it, and who may write
    states         the moments that training can go on from
    tensors        named tensors in a safetensors file
    files          writing that a kill or a full disk cannot leave half done
    lock           one trainer at a time
    provenance     what a run was made with
    wordvectors    word2vec and GloVe files

    download       a name becomes a folder in the hub's format
    hub            such a folder as a model, and back
    soundness      whether its config.json makes sense
    shards, names  its tensors, and which part of ours each fills
    quantized      tensors in four bits, as bitsandbytes lays them out
    families       what a table of a family is made of; rules that several need (rules)
    encoders, decoders, encoder_decoders, modernbert      the tables
    sentence_pooling                                      how a sentence encoder makes one vector of many
    export, export_onnx, export_ctranslate2, export_nf4   for other programs

What is read here was written by anyone: it is checked, and no code of it is ever run.
"""

from seqwise.checkpoints.files import hash_file
from seqwise.checkpoints.provenance import signature
from seqwise.checkpoints.run import RunFolder
from seqwise.checkpoints.states import State
from seqwise.checkpoints.wordvectors import WordVectors

__all__ = ["RunFolder", "State", "WordVectors", "hash_file", "signature"]
