"""Models: encoder, decoder, likelihood, prior and objective, composed."""
