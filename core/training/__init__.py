"""Training of transform networks, and slow_neural_style's optimisation of one picture."""
