"""Tensors in, tensors out: the sequence models and the parts they are made of. Knows no file and no word.

Letters of the shapes, the same in every file of this room:

    B  sentences          T  positions that ask (target)      H  heads that ask       W  width of the model
    R  rows: B x beams    S  positions that answer (source)   G  heads that answer    D  width of one head
    K  beams              V  vocabulary                       F  width inside the feed-forward network
"""
