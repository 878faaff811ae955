"""Data: sources, splits and the batches that reach the compiled step."""
