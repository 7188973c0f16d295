"""`seqwise stats`: a file each, in it a function of the same name; `answering` shows and writes what they find."""
