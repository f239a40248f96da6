"""Whether a file holds the weights of a registered model, whatever program wrote it."""
