"""The loss network: layers, losses, and the optimisers that minimise them."""
