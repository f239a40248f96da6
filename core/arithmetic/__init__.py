"""The arithmetic of a run: the operations whose rounding determines the result, and their implementations."""
