"""Transform networks in Torch7's arithmetic: the pictures of fast_neural_style.lua, byte for byte."""
