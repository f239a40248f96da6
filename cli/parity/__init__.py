"""``nstyle parity``: comparison with reference runs of the original programs."""
