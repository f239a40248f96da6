"""``nstyle watch``: show the runs of a config in the browser while they run."""
