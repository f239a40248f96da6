"""docs/flags.md and docs/config.schema.json, made from the programs' flags: ``python -m cli.flags_page``."""

from __future__ import annotations

import json
from pathlib import Path

from cli import fast_neural_style, neural_style, webcam_demo
from cli.lua_flags import Grammar, default_text
from core.stages.schema import config_schema

PAGE = Path(__file__).resolve().parent.parent / "docs" / "flags.md"
SCHEMA = PAGE.with_name("config.schema.json")
HEAD = """# Flags

Made by `make docs` from `core/settings.py`, `core/transform/settings.py` and `core/transform/webcam.py`; a
test keeps it current. The grammar is that of torch.CmdLine: one dash, exact names, booleans without a value.
`--flag` and `-flag=value` work too. In a YAML file the names are the same and comma lists are lists.
"""
TABLE = """
| flag | default | meaning |
| --- | --- | --- |
"""
NEURAL_STYLE_REMARKS = """
### What differs from the original

- `-gpu 0` on a machine without a GPU prints a notice and runs on the CPU.
- `-backend`: only grouped convolutions depend on it, as in the original: `cudnn` on a GPU keeps them,
  otherwise a V1 layer is skipped and a V2 net ends there. `clnn` (OpenCL) has no counterpart in PyTorch and
  runs as `nn`, with a notice.
- `-cudnn_autotune` sets PyTorch's cuDNN benchmark mode and has no effect on the CPU.
- `-proto_file` is optional. The original reads it and then replaces everything in it by the binary file; here
  differences to the binary are reported.
- `-model_file` and `-proto_file` are also found in `vgg_models/` under their base name.
- A layer that does not exist, is named twice or is out of network order is an error; the original drops it
  silently and appends the rest of the model.
- `-output_image x.pgm` is refused at once; the original refuses it after all the work.
- A run whose loss is no longer finite stops and keeps the last good picture. Ctrl-C and SIGTERM write the
  current picture and exit with 130 and 143.
"""
FAST_NEURAL_STYLE_REMARKS = """
### What differs from the original

- A model that cannot be loaded is an error with exit status 1; the original prints three lines and exits
  with 0.
- `-input_dir`: a picture that cannot be read or saved is reported, the rest goes on, and the exit status is
  1 at the end; the original stops there. `-output_dir` must be another folder than `-input_dir`, where the
  original overwrites the photographs.
- `-output_image x.pgm` and unknown extensions are refused before the work, not after it.
- A picture smaller than the network's reflection padding is refused; the original reads past the picture's
  memory.
- Gray pictures with alpha are loaded as gray; the original refuses them. CMYK is converted, with a notice.
- `-backend opencl` with a GPU is refused: neither ONNX Runtime nor PyTorch has it. `-use_cudnn 0` acts with
  `-runtime torch` only; the CUDA provider of ONNX Runtime is made of cuDNN.
- `-cudnn_benchmark 1` makes ONNX Runtime try every convolution algorithm for every new size, PyTorch
  likewise.
"""


def page() -> str:
    """The whole page."""
    parts = (
        (neural_style.GRAMMAR, NEURAL_STYLE_REMARKS),
        (fast_neural_style.GRAMMAR, FAST_NEURAL_STYLE_REMARKS),
        (webcam_demo.GRAMMAR, ""),
    )
    return HEAD + "".join(f"\n## {grammar.program}\n{_table(grammar)}{text}" for grammar, text in parts)


def _table(grammar: Grammar) -> str:
    rows = [
        f"| `-{item.name}` | `{default_text(item) or ' '}` | {_cell(item.metadata['help'])} |"
        for item in grammar.flags.values()
    ]
    rows += [f"| `-{name}` | | {_cell(text)} |" for name, text in grammar.others.items()]
    return TABLE + "\n".join(rows) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
    SCHEMA.write_text(json.dumps(config_schema(), indent=1) + "\n")
