"""``nstyle inspect``: show the contents of a model file, and whether the registry knows it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import click

from caffe_loader import CaffeLayer, Caffemodel, CaffemodelError, compare_prototxt, open_caffemodel
from caffe_loader.errors import printable
from cli.nstyle.inspect_networks import describe_onnx, describe_t7
from cli.terminal.tables import table
from core.errors import NeuralStyleError
from core.models.proof.equivalents import stands_for
from core.models.registry import Digests, ModelEntry, file_digests, identify, load_registry

_HEADER = ("layer", "type", "shapes", "parameters", "offset", "bytes")


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--proto", type=click.Path(path_type=Path), help="Compare with this prototxt as well.")
def inspect_command(file: Path, proto: Path | None) -> None:
    """Show the layers, shapes and sizes of the network in FILE, its checksums and its registry entry.

    A .t7 file is read as a Torch7 file, a .onnx file as an ONNX model, every other as a caffemodel. Offsets
    in a caffemodel are those of a layer's weights, or of the layer itself if it has none.
    """
    try:
        for line in _lines(file, proto):
            click.echo(line)
    except (CaffemodelError, NeuralStyleError) as error:
        _fail(str(error))
    except BrokenPipeError:
        raise  # click ends the program without a message
    except OSError as error:
        _fail(f"{file}: {error.strerror}; check the path and its permissions")


def _lines(file: Path, proto: Path | None) -> Iterable[str]:
    kind = file.suffix.lower()
    if kind in (".t7", ".onnx"):
        if proto is not None:
            _fail(f"--proto: a prototxt describes a caffemodel, not a {kind} file")
        describe = describe_t7 if kind == ".t7" else describe_onnx
        yield from describe(file)
    else:
        with open_caffemodel(file) as model:
            yield from _description(model)
            if proto is not None:
                yield from _comparison(proto, model)
    yield from _identity(file)


def _fail(message: str) -> NoReturn:
    click.echo(f"nstyle inspect: {message}", err=True)
    sys.exit(1)


def _description(model: Caffemodel) -> Iterable[str]:
    field = "layers" if model.format == "V1" else "layer"
    yield f"{printable(str(model.path))}: network '{printable(model.name)}', format {model.format} ({field})"
    yield ""
    rows = [_HEADER, *map(_row, model.layers)]
    blobs = [blob for layer in model.layers for blob in layer.blobs]
    count, nbytes = sum(blob.count for blob in blobs), sum(blob.nbytes for blob in blobs)
    rows.append(("total", f"{len(model.layers)} layers", "", f"{count:,}", "", f"{nbytes:,}"))
    yield from table(rows, 3)


def _row(layer: CaffeLayer) -> tuple[str, ...]:
    shapes = " + ".join("x".join(map(str, blob.shape)) or "1" for blob in layer.blobs)
    offset = min((blob.offset for blob in layer.blobs), default=layer.offset)
    count, nbytes = sum(blob.count for blob in layer.blobs), sum(blob.nbytes for blob in layer.blobs)
    numbers = (f"{count:,}", f"{offset:,}", f"{nbytes:,}")
    return (printable(layer.name), printable(layer.type), shapes, *numbers)


def _comparison(proto: Path, model: Caffemodel) -> Iterable[str]:
    differences = compare_prototxt(proto, model)
    yield ""
    yield from differences or [f"{printable(str(proto))}: agrees with the caffemodel"]
    if differences:
        yield "(the caffemodel is used, as in the original program)"


def _identity(file: Path) -> Iterable[str]:
    digests = file_digests(file)
    registry = load_registry()
    yield ""
    yield f"size    {digests.bytes:,} bytes"
    yield f"md5     {digests.md5}"
    yield f"sha256  {digests.sha256}"
    known = identify(file, registry, digests)
    if known is not None:
        yield f"known   {known.name}: {known.what}"
        return
    found = stands_for(file)
    if found is not None:
        yield f"known   serves as {found.model}: {found.how}"
        return
    yield "known   no: no model in the registry has these checksums"
    for entry in registry.values():
        if entry.file == file.name and entry.has_checksum:
            yield f"        {_contradiction(entry, digests)}"


def _contradiction(entry: ModelEntry, digests: Digests) -> str:
    """The size and checksums that differ from the registry's file of the same name."""
    pairs = (
        ("size", entry.bytes, digests.bytes),
        ("md5", entry.md5, digests.md5),
        ("sha256", entry.sha256, digests.sha256),
    )
    wrong = [f"{what} {published}" for what, published, found in pairs if published not in (None, found)]
    return f"the registry's {entry.name}, with the same file name, has {', '.join(wrong)}"
