"""Reads and writes .onnx files. Other file types are recognised before parsing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from caffe_loader.errors import printable
from caffe_loader.sniff import recognise
from core.atomic import replaced_when_complete
from core.errors import TransformError

if TYPE_CHECKING:
    from onnx import ModelProto

LARGEST = 1 << 31  # protobuf's limit
HEAD = 4096
_FOREIGN = {
    "html": "is a web page, not a model; download it again, from the page's link for the raw file",
    "lfs": "is a Git LFS pointer, not the model itself; run `git lfs pull` where it came from",
    "zip": "is a zip archive, perhaps a PyTorch file; name it .pth if so, or unpack it",
    "pickle": "is a Python pickle, perhaps an old PyTorch file; save its state_dict with a newer PyTorch",
    "archive": "is a compressed archive; unpack it first",
    "hdf5": "is an HDF5 file, not an ONNX model",
    "t7": "is a Torch7 file; name it .t7",
}


def read_onnx(path: Path) -> ModelProto:
    """Read a model with its external data. Raises: TransformError, without the file name."""
    import onnx

    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        if path.stat().st_size >= LARGEST:
            raise TransformError("is larger than 2 GiB, the limit for .onnx files")
        kind = recognise(head)
        if kind in _FOREIGN:
            raise TransformError(_FOREIGN[kind])
        model: ModelProto = onnx.load(path)
    except FileNotFoundError:
        raise TransformError("no such file; check the path") from None
    except OSError as error:
        raise TransformError(f"cannot be read: {error.strerror or error}") from None
    except TransformError:
        raise
    except Exception:  # exceptions of protobuf and onnx share no more specific base class
        raise TransformError("damaged or not an ONNX model; download it again") from None
    if not model.graph.node or not model.graph.output:
        raise TransformError("not an ONNX model: it contains no network")
    return model


def write_onnx(model: ModelProto, path: Path) -> None:
    """Write one self-contained file, never a partial one. Raises: TransformError naming the file."""
    try:
        with replaced_when_complete(path) as file:
            file.write(model.SerializeToString())
    except OSError as error:
        raise TransformError(
            f"{printable(str(path))}: cannot be written: {error.strerror or error}"
        ) from None
