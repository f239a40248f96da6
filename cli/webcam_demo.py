"""``webcam_demo``: stylise a camera or a video with each network; show it in a window or record it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cli.terminal import output as terminal
from cli.terminal.lua_flags import CommandLine, Grammar
from cli.terminal.program import run_program
from core.errors import SettingsError
from core.pictures.images import Image
from core.transform.video.webcam import Recorder, WebcamOptions, Window, source_frames, tiled_frames

if TYPE_CHECKING:
    from core.transform.stylize import Stylizer

GRAMMAR = Grammar("webcam_demo", WebcamOptions, {})
notice = partial(terminal.notice, program=GRAMMAR.program)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status: 0, or 1 for an error."""
    return run_program(GRAMMAR, _command, arguments)


def _command(line: CommandLine) -> int:
    options = WebcamOptions(**line.settings)
    options.validate()
    return run_webcam(options, _stylizers(options))


def _stylizers(options: WebcamOptions) -> list[Stylizer]:
    """One stylizer for each network. As in the original, pictures are not scaled and not median-filtered.

    Raises: SettingsError: the networks differ in preprocessing, which the original refuses too.
    """
    from core.settings.fast_neural_style import TransformSettings
    from core.transform.open_model import open_model
    from core.transform.stylize import Stylizer

    shared = TransformSettings(gpu=options.gpu, backend=options.backend, use_cudnn=options.use_cudnn)
    shared.validate()
    stylizers: list[Stylizer] = []
    for model in options.models:
        opened = open_model(shared.replace(model=model))
        for sentence in opened.notices:
            notice(sentence)
        stylizers.append(Stylizer(opened.runner, image_size=0, median_size=0))
    if len({stylizer.runner.format.input for stylizer in stylizers}) > 1:
        raise SettingsError("-models: all must have the same preprocessing; nstyle inspect MODEL shows it")
    return stylizers


@dataclass
class _Count:
    frames: int = 0
    started: float = 0.0


def run_webcam(options: WebcamOptions, stylizers: Sequence[Callable[[Image], Image]]) -> int:
    """Show and record until the video ends, -frames is reached or the window is closed. Returns 0.

    Each of ``stylizers`` takes a float64 (3, H, W) picture, RGB, 0 to 1, and returns one, unclamped; all
    return the same size. Prints the frames per second on stderr. Ctrl-C ends the loop; the recording is kept.

    Raises: SettingsError, VideoError.
    """
    options.validate()
    count = _Count(started=time.perf_counter())
    with ExitStack() as stack:
        window, recorder = None, None
        if options.show:
            window = Window()
            stack.callback(window.close)
        if options.output_video:
            recorder = stack.enter_context(Recorder(options.output_video, options.webcam_fps))
        with suppress(KeyboardInterrupt):
            _loop(options, stylizers, window, recorder, count)
    _report(count)
    return 0


def _loop(
    options: WebcamOptions,
    stylizers: Sequence[Callable[[Image], Image]],
    window: Window | None,
    recorder: Recorder | None,
    count: _Count,
) -> None:
    with closing(source_frames(options)) as frames:
        for seconds, picture in tiled_frames(frames, stylizers):
            if recorder is not None:
                recorder.add(seconds, picture)
            count.frames += 1
            if window is not None and not window.show(picture):
                return
            if count.frames == options.frames:
                return


def _report(count: _Count) -> None:
    if sys.stderr is not None:
        seconds = time.perf_counter() - count.started
        print(
            f"webcam_demo: {count.frames} frames in {seconds:.1f} seconds, "
            f"{count.frames / max(seconds, 1e-9):.2f} frames per second",
            file=sys.stderr,
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
