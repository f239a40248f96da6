"""Writes, modernises, analyses and runs ONNX files of transform networks."""
