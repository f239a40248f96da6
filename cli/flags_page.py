"""docs/flags.md, made from the fields of Settings: ``python -m cli.flags_page``."""

from __future__ import annotations

from pathlib import Path

from cli.lua_flags import PROGRAM_FLAGS
from core.settings_text import FIELDS, format_value

PAGE = Path(__file__).resolve().parent.parent / "docs" / "flags.md"
HEAD = """# Flags

Made by `make docs` from the fields of `core/settings.py`; a test keeps it current. The grammar is that of
torch.CmdLine: one dash, exact names, booleans without a value. `--flag` and `-flag=value` work too. In a YAML
file the names are the same and comma lists are lists.

| flag | default | meaning |
| --- | --- | --- |
"""
REMARKS = """
## What differs from the original

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


def page() -> str:
    """The whole page."""
    rows = [
        f"| `-{name}` | `{_default(name)}` | {_text(item.metadata['help'])} |"
        for name, item in FIELDS.items()
    ]
    rows += [f"| `-{name}` | | {_text(text)} |" for name, text in PROGRAM_FLAGS.items()]
    return HEAD + "\n".join(rows) + "\n" + REMARKS


def _default(name: str) -> str:
    default = FIELDS[name].default
    return str(default).lower() if isinstance(default, bool) else format_value(name, default) or " "


def _text(words: str) -> str:
    return words.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
