"""Numbers and codes from a trained model."""
