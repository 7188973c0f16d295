"""Look, never touch: what a model computed, read off while it computes or recomputed from what was kept."""
