"""Make small videos and sequences, read a video's contents, and stop runs."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from core.pictures.images import save_image
from core.transform.video.film import stylize_video


def frame_pixels(index, height=32, width=48):
    """A frame with a slowly changing colour and a moving white bar; (H, W, 3) bytes."""
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[...] = (40 + 5 * index, 120, 200 - 6 * index)
    pixels[:, (2 * index) % width : (2 * index) % width + 4] = 255
    return pixels


def make_film(
    path, pts=range(20), *, size=(32, 48), base=Fraction(1, 25), sound=(), look=None, codec="libx264"
):
    """Write a video with frames at ``pts`` and a sine tone for each codec in ``sound``."""
    height, width = size
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=25, options={"crf": "5"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = base
        for name, value in (look or {}).items():
            setattr(context, name, value)
        voices = [film.add_stream(name, rate=8000, layout="mono") for name in sound]
        for voice in voices:
            voice.metadata["language"], voice.bit_rate = "deu", 32000
        for index, time in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(frame_pixels(index, height, width), format="rgb24")
            frame.colorspace = (look or {}).get("colorspace", 2)
            frame = frame.reformat(format="yuv420p", dst_color_range=(look or {}).get("color_range"))
            frame.pts, frame.time_base = time, base
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
        for voice in voices:
            add_sound(film, voice)
    return path


def add_sound(film, voice, samples=6400):
    wave = (8000 * np.sin(np.arange(samples) / 5)).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="s16", layout="mono")
    frame.sample_rate, frame.pts = 8000, 0
    frame.time_base = Fraction(1, 8000)
    resampler = av.AudioResampler(format=voice.codec_context.format, layout="mono", rate=8000)
    for piece in resampler.resample(frame):
        film.mux(voice.encode(piece))
    film.mux(voice.encode(None))


def film_times(path):
    """Times and durations of the frames, in seconds."""
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = [
            (frame.pts * stream.time_base, frame.duration * stream.time_base) for frame in film.decode(stream)
        ]
    return [time for time, _ in frames], [length for _, length in frames]


def film_pixels(path):
    """All frames of a video, (N, H, W, 3) bytes."""
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def sound_packets(path, index=0):
    """(time in seconds, bytes) of each packet of a sound stream."""
    with av.open(str(path)) as film:
        stream = film.streams.audio[index]
        return [(p.pts * p.time_base, bytes(p)) for p in film.demux(stream) if p.size]


def invert(picture):
    return 1 - picture


class Counted:
    """A stylizer that counts its calls and fails at one of them."""

    def __init__(self, fail_at=None):
        self.calls, self.fail_at = 0, fail_at

    def __call__(self, picture):
        self.calls += 1
        if self.calls == self.fail_at:
            raise RuntimeError("power cut")
        return 1 - picture


def run(source, target, stylize=invert, **options):
    options = {"fingerprint": "model", "part_frames": 6, **options}
    return stylize_video(str(source), str(target), stylize, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_pictures(folder, numbers, name="{:04}.png"):
    folder.mkdir(exist_ok=True)
    for number in numbers:
        save_image(folder / name.format(number), frame_pixels(number).transpose(2, 0, 1) / 255)
