"""Compares a result with a reference picture of the same name."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from core.errors import ImageError
from core.pictures.compare import Comparison, compare_files, save_heat_map
from core.report.pictures import PictureView, as_it_is, scaled


@dataclass(frozen=True)
class ReferenceView:
    """The comparison with a reference.

    picture: the reference.  figures: (name, value) pairs.  note: why there is no comparison, else ''.
    heat_map: the differences; None if the pictures are equal or cannot be compared.
    """

    picture: PictureView
    figures: tuple[tuple[str, str], ...] = ()
    heat_map: PictureView | None = None
    note: str = ""


def find_reference(result: Path, folder: Path, references: Path) -> Path | None:
    """The picture in ``references`` with the result's path relative to ``folder``, or with its name."""
    candidates = (references / result.relative_to(folder), references / result.name)
    return next((path for path in candidates if path.is_file() and not _same_file(path, result)), None)


def _same_file(a: Path, b: Path) -> bool:
    return a.resolve() == b.resolve()


def reference_view(result: Path, reference: Path) -> ReferenceView:
    """Compare a result with its reference; different sizes give a note.

    Raises: ImageError: the reference cannot be read.
    """
    picture = as_it_is(reference)
    try:
        found = compare_files(result, reference)
        heat_map = _heat_map(found) if found.largest else None
    except ImageError as error:
        note = str(error).replace(str(result), "the result").replace(str(reference), "the reference")
        return ReferenceView(picture, note=note)
    return ReferenceView(picture, _figures(found), heat_map)


def _figures(found: Comparison) -> tuple[tuple[str, str], ...]:
    return (
        ("PSNR", "equal" if math.isinf(found.psnr) else f"{found.psnr:.2f} dB"),
        ("SSIM", f"{found.ssim:.6f}"),
        ("Largest difference", f"{found.largest:.4g} of 255 levels"),
        ("Mean difference", f"{found.mean:.4f} levels"),
        ("Differing pixels", f"{found.differing:.3%}"),
    )


def _heat_map(found: Comparison) -> PictureView:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "difference.png")
        save_heat_map(path, found)
        return scaled(path)
