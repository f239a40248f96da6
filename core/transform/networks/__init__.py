"""Transform networks as PyTorch modules, and the files they are read from."""
