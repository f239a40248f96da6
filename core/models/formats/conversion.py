"""A file of any known format into a caffemodel of its convolutions, in a process of its own.

The libraries that read these formats are C, and files come from anywhere. What a damaged or hostile file can
do there, from a crash to all the memory, happens to a process that is given little and may die; this one then
reads a caffemodel, with a reader that is bounded.
"""

from __future__ import annotations

import multiprocessing
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from caffe_loader.errors import CaffemodelError, printable
from core.errors import RegistryError
from core.models.checksums import read_head
from core.models.formats.weights import Convolutions

MEMORY = 3 << 29  # bytes that reading may take, where the system can limit it; the largest file holds 0.6e9
SECONDS = 300
MAT73 = "is a MATLAB file of version 7.3; save it again with: save(FILE, '-struct', 'net', '-v7')"


def format_of(path: Path) -> str:
    """keras, pytorch, matconvnet or caffe, by the first bytes. Raises RegistryError, OSError."""
    head = read_head(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "keras"
    if head.startswith(b"MATLAB 7.3"):
        raise RegistryError(f"{printable(str(path))}: {MAT73}")
    if head.startswith(b"MATLAB 5.0"):
        return "matconvnet"
    if head.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return "pytorch"
    return "caffe"


def convert(path: Path, target: Path) -> None:
    """Write the convolutions in ``path``, of any known format, to ``target`` as ``write_convolutions`` does.

    Raises RegistryError if there are none or the file is damaged; OSError.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(format_of(path), path, target, sender), daemon=True)
    process.start()
    sender.close()
    try:
        process.join(SECONDS)
        message = _answer(receiver)
        if message is None:
            what = f"took more than {SECONDS} s" if process.is_alive() else "ended its reader"
            message = f"cannot be read: it {what}; it is damaged, or made to do harm"
    finally:
        process.kill()
        process.join()
        receiver.close()
    if message:
        raise RegistryError(f"{printable(str(path))}: {message}")


def _answer(receiver: Connection) -> str | None:
    """What the process has said, '' for success, None if nothing."""
    with suppress(EOFError, OSError):
        if receiver.poll():
            return str(receiver.recv())
    return None


def _work(kind: str, path: Path, target: Path, sender: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the process that waits, and that ends this one
    _limit_memory()
    warnings.simplefilter("ignore")
    message = ""
    try:
        layers = read(kind, path)
        with target.open("wb") as stream:
            from core.models.formats.caffe import write_convolutions

            write_convolutions(stream, layers)
    except RegistryError as error:
        message = str(error)
    except OSError as error:
        message = f"cannot be converted: {error.strerror or error}"
    sender.send(message)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def read(kind: str, path: Path) -> Convolutions:
    """The convolutions in ``path``, of the format ``kind``: no library's error gets beyond here.

    Raises RegistryError: a predicate about the file, without its name.
    """
    reader, library = _reader(kind)
    try:
        return reader(path)
    except RegistryError as error:
        raise RegistryError(f"is no VGG that is known here: {error}") from None
    except CaffemodelError as error:
        raise RegistryError(str(error).removeprefix(f"{printable(str(path))}: ")) from None
    except (Exception, RecursionError, MemoryError) as error:  # whatever the damaged part was given to
        lines = str(error).splitlines() or [type(error).__name__]
        reason = "it holds objects besides weights" if lines[0].startswith("Weights only") else lines[0]
        raise RegistryError(
            f"is damaged, or not what its first bytes say ({library}: {printable(reason[:100])})"
        ) from None


def _reader(kind: str) -> tuple[Callable[[Path], Convolutions], str]:
    if kind == "keras":
        from core.models.formats.keras import read_keras

        return read_keras, "h5py"
    if kind == "matconvnet":
        from core.models.formats.matconvnet import read_matconvnet

        return read_matconvnet, "scipy"
    if kind == "pytorch":
        from core.models.formats.pytorch import read_pytorch

        return read_pytorch, "torch"
    from core.models.formats.caffe import read_caffe

    return read_caffe, "protobuf"
