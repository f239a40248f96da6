"""Write docs/flags.md and docs/config.schema.json from the flags: ``python -m cli.make.flags_page``."""

from __future__ import annotations

import json
from pathlib import Path

from cli import fast_neural_style, neural_style, slow_neural_style, train_fast_neural_style, webcam_demo
from cli.terminal.lua_flags import Grammar, default_text
from core.stages.schema import config_schema

PAGE = Path(__file__).resolve().parents[2] / "docs" / "flags.md"
SCHEMA = PAGE.with_name("config.schema.json")
HEAD = """# Flags

Made by `make docs` from `core/settings/neural_style.py` and the `settings.py` and `webcam.py` of its
subpackages; a test keeps it current. The grammar is that of torch.CmdLine: one dash, exact names, booleans
without a value.
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

- Without `-model`, where `models/instance_norm/candy.t7` is not here, the bundled `swirls.onnx` is used,
  with a notice; the original stops.
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
- A network of super-resolution enlarges by itself: give `-image_size 0 -median_filter 0`, and
  `-match_histogram 1` for the histogram matching that the paper has behind it (and `nstyle evaluate-sr`).
"""
SLOW_REMARKS = """
### What differs from the original

- `-output_image` itself is written, at the end, on Ctrl-C and when the loss is no longer finite; the original
  writes the numbered pictures only. It is the picture of the last evaluation.
- Numbered pictures are named as in the original: the name up to its *first* dot, so `a.b.png` gives
  `a_50.png`.
- `-optimizer adam` works; the original stops there with an error (it reads an undefined variable). The other
  names of Torch's optim, which fail there as well, are refused.
- L-BFGS stops early, as in the original, where the gradient's absolute values add up to at most 1e-5 or a
  step is zero, and says so.
- `-loss_network` may be a caffemodel; layers are numbers, as in the original, or names such as `relu4_2`. The
  network is not printed. A missing file is an error with exit status 1; the original exits with 0.
- A layer that the loss network does not have, or that is named twice (also as `9` and `relu2_2`), is an
  error. A loss on a convolution gets its true gradient; in the original the ReLU behind it has overwritten
  the activations by then.
- `-content_layers`, `-style_layers` and `-deepdream_layers` may each be empty, not all of them at once.
- `-gpu 0` on a machine without a GPU prints a notice and runs on the CPU. `-backend opencl` with a GPU is
  refused.
"""
TRAIN_REMARKS = """
### What differs from the original

- `-pixel_loss_type` other than `L2`, `L1` and `SmoothL1` is refused; the original trains without a pixel
  loss.
- A layer that the loss network does not have, or that is named twice (also as `9` and `relu2_2`), is an
  error; the original takes its loss as 0. Layers are numbers, as in the original, or names such as `relu2_2`;
  `-loss_network` may be a caffemodel. A loss on a convolution gets its true gradient, not what the ReLU
  behind it has overwritten.
- `-weight_decay` acts, as Torch's own option of ADAM would: the gradient becomes gradient + decay x weight.
- `-resume_from_checkpoint` takes .t7 and .safetensors. `-arch`, `-padding_type` and `-tanh_constant` come
  from the checkpoint; so does `-tv_strength` unless it is given, on the command line or in the config,
  be it as its default. `-save_config` writes what is taken.
  Networks whose instance normalisation was inert in training are refused.
- `-task upsample`: the default style layers are turned off unless they are given, and then refused, since
  there is no style image; the high-resolution pictures are divided by 255, as the inputs are (the original
  forgets it); with `reflect-start` the padding is what the *enlarged* output lacks; `-padding_type none` is
  refused.
- `-percep_loss_weight 0` with `-task style` is refused; the original crashes after the first step. So is a
  training without any loss.
- The padding of `reflect-start` is found from the sizes, not by a forward pass that moves the statistics of
  batch normalisation. Pictures that do not fit the network are refused before the first step.
- Files are `CHECKPOINT_NAME.safetensors` (what `fast_neural_style -model` takes), `CHECKPOINT_NAME.json`
  (the original's histories), `CHECKPOINT_NAME.state.safetensors` (all that `-resume` needs) and, at the
  end, `CHECKPOINT_NAME.onnx`. They are written after iteration 100 (or `-checkpoint_every`, if that is
  less), every `-checkpoint_every` and after the last iteration; the original writes nothing at the end.
  Validation is at every `-checkpoint_every`, as in the original; `-num_val_batches 0` does without.
- `-resume` goes on with the same bits, on the CPU with one thread. Other flags than those about log, files
  and length must be those of then, and the same pictures: by names and sizes in `-train_dir`, by size and 256
  pieces of 64 KiB spread over `-h5_file`, which may be too large to be read for that. `nstyle run` looks at
  the same to know whether a training is up to date. Validation pictures change no weights and are not
  compared. Ctrl-C and SIGTERM end the training after its iteration, with all files
  written, and exit with 130 and 143; a second one ends it at once.
- A loss that is no longer finite stops the training, and so do gradients whose squares are not (weights
  then no longer move, which the original takes for success); the last checkpoint stays as it was.
- The first weights are those that Torch7 would draw after `torch.manualSeed` with `-seed`.
- `-precision mixed`: convolutions in bfloat16 (float16 with scaled gradients on GPUs without it), losses,
  Gram matrices, total variation and weights in float32. `full` turns TF32 off.
- `-accumulate N` averages the gradients of N batches; batch normalisation sees each of them alone. An epoch
  is then N times as many pictures per iteration.
- `-sample_image` is stylised at most 512 pixels wide or high, to `CHECKPOINT_NAME_sample_N.png`. It is
  tried before the first iteration; one that cannot be written later on is a notice.
- `torchrun --nproc_per_node N -m cli.train_fast_neural_style ...` trains in N processes, each with its part
  of every batch, so `-batch_size` is that of all of them together; the first one logs and writes. Batch
  normalisation then needs GPUs.
- `-gpu 0` on a machine without a GPU prints a notice and trains on the CPU. `-backend opencl` with a GPU is
  refused.
"""


def page() -> str:
    """The whole page."""
    parts = (
        (neural_style.GRAMMAR, NEURAL_STYLE_REMARKS),
        (fast_neural_style.GRAMMAR, FAST_NEURAL_STYLE_REMARKS),
        (slow_neural_style.GRAMMAR, SLOW_REMARKS),
        (train_fast_neural_style.GRAMMAR, TRAIN_REMARKS),
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
