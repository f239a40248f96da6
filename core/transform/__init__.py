"""Image transformation networks of Johnson et al. 2016: one forward pass instead of an optimisation."""
