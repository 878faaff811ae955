"""The HTML report of a run folder; no model is opened."""
