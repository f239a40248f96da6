"""Damaged weight files, one after the other, in a process of their own: their readers are C and may crash.

    python -m tests.support.weight_mutations FORMAT FOLDER FIRST LAST

prints, for each seed, its number and, as JSON, what came out of it; at the end the peak memory in KiB.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import warnings
from pathlib import Path

from core.errors import RegistryError
from core.models.formats.conversion import _limit_memory, read
from tests.support import vgg_files as files

LAYERS = files.narrow(width=1)
FORMATS = {
    "keras": ("keras", files.write_keras),
    "matconvnet": ("matconvnet", lambda path, layers: files.write_matlab(path, layers, compressed=False)),
    "pytorch": ("pytorch", lambda path, layers: files.write_torch(path, files.named_tensors(layers))),
    "pytorch 2017": (
        "pytorch",
        lambda path, layers: files.write_torch(path, files.named_tensors(layers), old=True),
    ),
    "eight bit": (
        "pytorch",
        lambda path, layers: files.write_torch(path, files.eight_bit_tensors(files.rounded(layers))),
    ),
}


def mutated(content: bytes, seed: int) -> bytes:
    """A few bits, bytes or words changed, taken out or put in, or the end cut off."""
    choice, data = random.Random(seed), bytearray(content)
    for _ in range(choice.choice((1, 1, 2, 4, 16))):
        kind, at = choice.randrange(10), choice.randrange(len(data))
        if kind < 5:
            data[at] ^= 1 << choice.randrange(8)
        elif kind < 7:
            data[at] = choice.choice((0, 127, 128, 255))
        elif kind == 7:
            data[at : at + 8] = (1 << choice.randrange(64)).to_bytes(8, "little")
        elif kind == 8:
            del data[at : at + choice.randrange(40)]
        else:
            data[at:] = b"" if choice.random() < 0.3 else bytes(choice.randrange(40)) + data[at:]
        if not data:
            return b"x"
    return bytes(data)


def outcome(kind: str, path: Path) -> str:
    """ "fine", or the error's message."""
    try:
        read(kind, path)
    except RegistryError as error:
        return str(error)
    return "fine"


def main() -> None:
    name, folder, first, last = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
    kind, write = FORMATS[name]
    path = folder / "file"
    content = write(path, LAYERS).read_bytes()
    warnings.simplefilter("ignore")
    _limit_memory()
    for seed in range(first, last):
        path.write_bytes(mutated(content, seed))
        print(seed, flush=True)
        print(json.dumps(outcome(kind, path)), flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    main()
