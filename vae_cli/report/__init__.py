"""A run folder as one HTML page; no model is opened."""
