"""The programs of fast-neural-style that optimise: the training of a network, and one picture."""
