"""`vae-explore`: a page in the browser that explores a trained run."""
