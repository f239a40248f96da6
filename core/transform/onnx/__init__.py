"""ONNX files of transform networks: written, repaired, recognised and run."""
