"""Learning from data: fit() is a generator of events, and everybody else reads them.

    events        what a run tells
    loop          fit(): update, evaluate, save
    optim         which weights move how far
    state         all that a run is at one moment
    distributed   several processes
    journal       readers of the events: a file, TensorBoard
    console       the terminal as a reader

No metric and no decoder is known here; what an evaluation is, is handed in.
"""
