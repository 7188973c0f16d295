"""Results as people read them: sentences first, then pictures and the numbers behind them.

    terminal    tables and sentences for a terminal
    page        one HTML file that stands alone, offline
    plots       what can be drawn, each picture a piece of SVG: distributions, comparisons, fits, times draw them,
                drawing is what they share

Knows results of `stats` and plain arrays; no model, no file.
"""
