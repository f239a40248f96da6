"""Lists the pictures of a folder and processes them in parallel; one bad file does not stop the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from core.errors import ImageError, NeuralStyleError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".pgm")  # lower-cased, as in the original


def pictures(folder: Path, *, recursive: bool, in_order: bool, without: Path | None = None) -> list[Path]:
    """Paths of the pictures, relative to ``folder``.

    Matches fast_neural_style.lua: hidden files are skipped, and files come in the order the file system
    lists them. in_order: sort by name instead.  without: a folder to skip (the output folder).
    Raises: ImageError: the folder cannot be read.
    """
    try:
        found = [path.relative_to(folder) for path in _files(folder, recursive, without)]
    except OSError as error:
        raise ImageError(
            f"{folder}: cannot be read: {error.strerror}; -input_dir must name a folder"
        ) from None
    return sorted(found) if in_order else found


def _files(folder: Path, recursive: bool, without: Path | None) -> Iterator[Path]:
    inner = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                inner.append(entry)
            elif Path(entry.name).suffix.lower() in EXTENSIONS:
                yield Path(entry.path)
    for entry in inner:
        # symbolic links to folders may form a loop
        if recursive and not entry.is_symlink() and not _is_same(Path(entry.path), without):
            yield from _files(Path(entry.path), recursive, without)


def _is_same(folder: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and folder.samefile(other)


def for_each(
    names: Sequence[Path],
    work: Callable[[Path], None],
    jobs: int,
    finished: Callable[[Path, NeuralStyleError | None], None],
) -> None:
    """Call ``work`` for every name in ``jobs`` threads, then ``finished`` with name and error (or None).

    With several jobs, one picture is decoded, filtered or encoded while the network runs on another.
    """
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(work, name): name for name in names}
        try:
            for future in as_completed(running):
                error = future.exception()
                if error is not None and not isinstance(error, NeuralStyleError):
                    raise error
                finished(running[future], error)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
