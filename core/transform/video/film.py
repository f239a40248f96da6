"""Stylises a video or image sequence frame by frame; a stopped run can be resumed.

Subtitles and chapters are not copied. A rotation in the metadata is applied to the pixels, so that the
network sees the scene upright. Interlaced videos are not split into fields. A resumed run gives the same
bytes as an uninterrupted one, because videos are always encoded in parts of fixed length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

from core.errors import VideoError
from core.pictures.images import Image, check_writable, save_image, to_bytes
from core.transform.video.encoder import Encoder, even_size
from core.transform.video.parts import Part, Parts
from core.transform.video.sequences import Pattern, Sequence, is_pattern
from core.transform.video.smoothing import Smoother, size_changed
from core.transform.video.source import Source, SourceFrame, VideoFile, import_av
from core.transform.video.writer import check_video_target, new_video

PART_FRAMES = 120
DEFAULT_FPS = 25.0

Stylize = Callable[[Image], Image]
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class VideoReport:
    """The result of a run: its number of frames, those kept from a stopped run, and the size in pixels.

    Width and height are those of the last picture made; 0 if all pictures were kept.
    """

    target: str
    frames: int
    resumed_frames: int
    width: int
    height: int


@dataclass
class _Job:
    """One run: its source, its processing, its finished parts and its progress."""

    source: Source
    stylize: Stylize
    smoother: Smoother
    parts: Parts
    part_frames: int
    progress: Progress
    done: int = 0

    def advance(self, count: int = 1) -> None:
        self.done += count
        self.progress(self.done, self.source.total)


def stylize_video(
    source: str,
    target: str,
    stylize: Stylize,
    *,
    temporal_alpha: float = 0.0,
    fingerprint: str,
    progress: Progress = lambda done, total: None,
    fps: float | Fraction = DEFAULT_FPS,
    part_frames: int = PART_FRAMES,
) -> VideoReport:
    """Stylise every frame of ``source`` into ``target``; both may be patterns such as %04d.png.

    ``stylize`` takes and returns a float64 picture (3, H, W), RGB, values 0 to 1; all results must have one
    size. Results are clamped, multiplied by 255 and truncated. A video keeps times, colour description and
    sound. ``fps``: frames per second of a source pattern. Pictures are numbered as in the source, those of a
    video from 1.
    ``fingerprint`` identifies model and flags; parts left by a run with another fingerprint are discarded.
    ``progress`` is called with the number of frames done and of all frames (None if the video does not say).

    Raises: VideoError; ImageError for pictures of a pattern; whatever ``stylize`` raises.
    """
    smoother = Smoother(temporal_alpha)
    if Path(source).resolve() == Path(target).resolve():
        raise VideoError(f"{target}: would overwrite the source; choose another name")
    into_pictures = is_pattern(target)
    if into_pictures:
        check_writable(Pattern(target).path(1))
    else:
        check_video_target(Path(target))
    video: Source = Sequence(Pattern(source), fps) if is_pattern(source) else VideoFile(source)
    if not into_pictures:
        check_video_target(Path(target), video.look, video.audio)
    state = {
        "fingerprint": fingerprint,
        "source": video.identity(),
        "rate": str(video.look.rate),
        "temporal_alpha": temporal_alpha,
        "part_frames": part_frames,
        "encoder": "" if into_pictures else import_av().__version__,
    }
    job = _Job(video, stylize, smoother, Parts(Path(target), state), part_frames, progress)
    report = _into_pictures(job, target) if into_pictures else _into_video(job, target)
    job.parts.remove()
    return report


def _into_video(job: _Job, target: str) -> VideoReport:
    finished = _finished_parts(job)
    job.done, resumed = 0, sum(count for count, _ in finished)
    if resumed:
        job.advance(resumed)
    size = finished[-1][1] if finished else None
    frames = islice(job.source.frames(), resumed, None)
    index = len(finished)
    while (part := _next_part(job, frames, size)) is not None:
        if job.smoother.alpha and job.smoother.shown is not None:
            job.parts.store_shown(job.done, job.smoother.shown)
        job.parts.store(index, part)
        job.parts.forget_shown(but=job.done)
        size, index = part.size, index + 1
    if size is None:
        raise VideoError(f"{target}: not written, because the source has no frames")
    _join(job, Path(target), size, index)
    return VideoReport(target, job.done, resumed, *size)


def _finished_parts(job: _Job) -> list[tuple[int, tuple[int, int]]]:
    """(number of frames, size) of each part of a stopped run; none if the last picture shown is lost."""
    finished: list[tuple[int, tuple[int, int]]] = []
    while (part := job.parts.read(len(finished))) is not None:
        finished.append((len(part.frames), part.size))
    if job.smoother.alpha and finished:
        job.smoother.shown = job.parts.shown(sum(count for count, _ in finished))
        if job.smoother.shown is None:
            return []
    return finished


def _next_part(job: _Job, frames: Iterator[SourceFrame], size: tuple[int, int] | None) -> Part | None:
    """Stylise and encode the frames of the next part; None at the end of the source."""
    encoder, last_duration, encoded = None, 1, []
    for frame in islice(frames, job.part_frames):
        shown = job.smoother.show(job.stylize(frame.image()))
        own_size = even_size(*shown.shape[1:])
        size = size or own_size
        if own_size != size:
            raise VideoError(size_changed(shown, size[::-1]))
        encoder = encoder or Encoder(job.source.look, size)
        encoded += encoder.encode(to_bytes(shown), frame.pts)
        last_duration = frame.duration
        job.advance()
    if encoder is None or size is None:
        return None
    return Part(size, encoded + encoder.finish(), last_duration)


def _join(job: _Job, target: Path, size: tuple[int, int], count: int) -> None:
    """Write all parts and the sound to the target."""
    with new_video(target, job.source.look, size, job.source.audio) as video:
        duration = 1
        for index in range(count):
            part = job.parts.read(index)
            if part is None:
                raise VideoError(
                    f"{job.parts.folder}: part {index} is missing or damaged; run the command again"
                )
            for frame in part.frames:
                video.add(frame)
            duration = part.last_duration
        video.finish(duration)


def _into_pictures(job: _Job, target: str) -> VideoReport:
    """Write the pictures of a sequence, skipping those finished by an earlier run.

    With smoothing, only pictures up to the last stored exact picture are skipped.
    """
    pattern, width, height, resumed = Pattern(target), 0, 0, 0
    ready = _finished_pictures(job, pattern)
    for frame in job.source.frames():
        path = pattern.path(frame.number)
        if job.done < ready and path.is_file():
            resumed += 1
            job.advance()
            continue
        shown = job.smoother.show(job.stylize(frame.image()))
        height, width = shown.shape[1:]
        save_image(path, shown)
        job.advance()
        if job.done > ready:
            _keep_count(job)
    return VideoReport(target, job.done, resumed, width, height)


def _finished_pictures(job: _Job, pattern: Pattern) -> int:
    """The number of pictures a stopped run finished; with smoothing, 0 if one of them is missing."""
    ready = job.parts.done()
    if not job.smoother.alpha or not ready:
        return ready
    first = job.source.first_number
    job.smoother.shown = job.parts.shown(ready)
    if all(pattern.path(number).is_file() for number in range(first, first + ready)):
        return ready if job.smoother.shown is not None else 0
    job.smoother.shown = None
    return 0


def _keep_count(job: _Job) -> None:
    if not job.smoother.alpha:
        job.parts.store_done(job.done)
    elif job.smoother.shown is not None and job.done % job.part_frames == 0:
        job.parts.store_shown(job.done, job.smoother.shown)
        job.parts.store_done(job.done)
        job.parts.forget_shown(but=job.done)
