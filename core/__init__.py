"""The method of Gatys et al. as neural_style.lua computes it; knows no command line and prints nothing."""
