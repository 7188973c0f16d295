"""Learning from data: fit() is a generator of events, and everybody else reads them.

    events        what a run tells
    loop          fit(): update, evaluate, save
    objectives    a model and its loss: another text, the next token, labels; anchored to what it was
    optim         how far the weights move
    moving        which of them, how fast beside the others, and from when on
    ranging       which learning rate, from a test
    state         all that a run is at one moment
    distributed   several processes
    journal       readers of the events: a file, TensorBoard
    console       the terminal as a reader

No metric and no decoder is known here; what an evaluation is, is handed in.
"""
