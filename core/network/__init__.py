"""The loss network: its layers, its losses, and the optimisers that minimise the losses."""
