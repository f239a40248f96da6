"""``nstyle parity``: comparison with the reference runs of the real programs."""
