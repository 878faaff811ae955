"""`vae-explore`: a page in the browser, around a trained run."""
