"""Stylise a picture, a folder or a video with an opened network."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tqdm import tqdm

from cli.terminal.above_bar import notice_above_bar, print_above_bar
from cli.terminal.output import print_log, shows_progress, warnings_as_notices
from core.errors import NeuralStyleError, SettingsError
from core.models.checksums import file_digests
from core.pictures.images import create_folder
from core.settings.fast_neural_style import TransformSettings
from core.transform.folders import for_each, pictures
from core.transform.open_model import OpenedModel
from core.transform.record import Recorder
from core.transform.stylize import Stylizer, Timing, check_extension, stylize_file

PROGRAM = "fast_neural_style"
_notice = partial(notice_above_bar, program=PROGRAM)
SHAPING = (  # the flags that change the frames of a video
    *("image_size", "median_filter", "runtime", "instance_norm", "value_range", "output_value_range"),
    "arithmetic",
    *("channel_order", "layout", "model_size", "gpu", "tf32", "fps", "match_histogram"),
)


def check_before(settings: TransformSettings) -> None:
    """Check inputs and outputs before the network is opened.

    Raises: ImageError, SettingsError: one cannot be read or written.
    """
    if settings.takes_one_picture:
        check_extension(settings.output_image)
        if not settings.input_image:
            raise SettingsError("-input_image: missing; name a picture")
    if settings.input_dir:
        source, target = Path(settings.input_dir), Path(settings.output_dir)
        if target.exists() and source.exists() and source.samefile(target):
            raise SettingsError("-output_dir: is also -input_dir, so the photographs would be overwritten")


def stylize_picture(settings: TransformSettings, opened: OpenedModel) -> int:
    """Stylise -input_image and write -output_image; returns the exit status."""
    with warnings_as_notices(_notice), _progress_of_tiles(opened):
        _work(settings, opened)(Path(settings.input_image), Path(settings.output_image))
    return 0


@contextmanager
def _progress_of_tiles(opened: OpenedModel) -> Iterator[None]:
    """Show a bar for the tiles of one picture, if the network runs in tiles."""
    from core.transform.tiles.runner import TiledRunner

    if not isinstance(opened.runner, TiledRunner):
        yield
        return
    with tqdm(unit="tile", disable=not shows_progress(), file=sys.stderr, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        opened.runner.progress = progress
        yield


def stylize_folder(settings: TransformSettings, opened: OpenedModel) -> int:
    """Stylise the pictures of -input_dir into -output_dir; returns the exit status, 1 if one failed."""
    source, target = Path(settings.input_dir), Path(settings.output_dir)
    names = pictures(
        source, recursive=bool(settings.recursive), in_order=bool(settings.sorted), without=target
    )
    if not names:
        raise SettingsError(f"-input_dir {source}: contains no pictures (.jpg, .jpeg, .png, .ppm, .pgm)")
    todo = [name for name in names if not (settings.skip_existing and (target / name).is_file())]
    if len(todo) < len(names):
        _notice(f"{len(names) - len(todo)} pictures exist already and are skipped")
    create_folder(target)
    return _stylize_all(settings, opened, todo)


def _stylize_all(settings: TransformSettings, opened: OpenedModel, names: list[Path]) -> int:
    source, target = Path(settings.input_dir).absolute(), Path(settings.output_dir).absolute()
    work, failed = _work(settings, opened), 0

    def finished(name: Path, error: NeuralStyleError | None) -> None:
        nonlocal failed
        bar.update(1)
        if error is not None:
            failed += 1
            _notice(str(error))

    with (
        tqdm(total=len(names), unit="picture", disable=not shows_progress(), file=sys.stderr) as bar,
        warnings_as_notices(_notice),
    ):
        for_each(names, lambda name: work(source / name, target / name), int(settings.jobs) or 1, finished)
    if failed:
        _notice(f"{failed} of {len(names)} pictures failed; see the messages above")
    return int(failed > 0)


def _work(settings: TransformSettings, opened: OpenedModel) -> Callable[[Path, Path], None]:
    """A function that stylises one file into another and prints the original's log lines."""
    stylizer = Stylizer(
        opened.runner, settings.image_size, settings.median_filter, settings.match_histogram == 1
    )
    recorder = Recorder(settings, opened.runner)

    def work(source: Path, target: Path) -> None:
        timing = _timing_line(source) if settings.timing == 1 else None
        stylize_file(source, target, stylizer, timing, recorder.save)
        print_above_bar([f"Writing output image to {target}"])

    return work


def _timing_line(source: Path) -> Timing:
    def line(size: tuple[int, int], seconds: float) -> None:
        print_above_bar([f"Image {source} ({size[0]} x {size[1]}) took {seconds:f}"])

    return line


def stylize_film(settings: TransformSettings, opened: OpenedModel) -> int:
    """Stylise -input_video and write -output_video; returns the exit status."""
    from core.transform.video.film import stylize_video

    stylizer = Stylizer(
        opened.runner, settings.image_size, settings.median_filter, settings.match_histogram == 1
    )
    with (
        tqdm(unit="frame", disable=not shows_progress(), file=sys.stderr) as bar,
        warnings_as_notices(_notice),
    ):

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = stylize_video(
            settings.input_video,
            settings.output_video,
            stylizer,
            temporal_alpha=settings.temporal_alpha,
            fingerprint=_fingerprint(settings),
            progress=progress,
            fps=settings.fps,
        )
    if report.resumed_frames:
        _notice(f"{report.resumed_frames} frames were finished by an earlier run")
    print_log(f"Writing output video to {report.target} ({report.frames} frames)\n")
    return 0


def _fingerprint(settings: TransformSettings) -> str:
    """A sha256 of all that decides a video's frames: the network's bytes and the flags ``SHAPING``."""
    shaping = "\n".join(f"{name}={getattr(settings, name)}" for name in SHAPING)
    return hashlib.sha256(f"{file_digests(Path(settings.model)).sha256}\n{shaping}".encode()).hexdigest()
