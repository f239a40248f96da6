"""Videos: times, colours and sound are kept; bad input gives a one-line error."""

from fractions import Fraction

import av
import numpy as np
import pytest

from core.errors import ImageError, NeuralStyleError, VideoError
from core.transform.video.source import VideoFile
from tests.support.film_factory import (
    Counted,
    add_sound,
    film_pixels,
    film_times,
    frame_pixels,
    make_film,
    names,
    run,
    sound_packets,
)

VARIABLE = [0, 40, 47, 200, 240, 290, 1000, 1001, 1900]
MILLISECONDS = Fraction(1, 1000)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv"])
def test_times_and_number_of_frames_are_kept(tmp_path, kind):
    source = make_film(tmp_path / "in.mp4")
    seen = []
    report = run(source, tmp_path / f"out.{kind}", progress=lambda *step: seen.append(step))
    assert film_times(tmp_path / f"out.{kind}") == film_times(source)
    assert (report.frames, report.resumed_frames, report.width, report.height) == (20, 0, 48, 32)
    assert seen == [(i, 20) for i in range(1, 21)]
    assert names(tmp_path) == sorted(["in.mp4", f"out.{kind}"])


@pytest.mark.parametrize("kind", ["mp4", "mkv"])
@pytest.mark.parametrize("start", [0, 500])
def test_variable_frame_rate_is_kept(tmp_path, kind, start):
    source = make_film(tmp_path / "in.mkv", [start + time for time in VARIABLE], base=MILLISECONDS)
    run(source, tmp_path / f"out.{kind}", part_frames=4)
    times, _ = film_times(tmp_path / f"out.{kind}")
    assert times == film_times(source)[0] == [(start + time) * MILLISECONDS for time in VARIABLE]


def test_pixels_are_those_of_the_function(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    run(source, tmp_path / "out.mp4", lambda picture: np.full_like(picture, 0.5))
    assert np.abs(film_pixels(tmp_path / "out.mp4").astype(int) - 127).max() <= 1
    run(source, tmp_path / "same.mp4", lambda picture: picture)
    difference = film_pixels(tmp_path / "same.mp4").astype(int) - film_pixels(source)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize(
    "look",
    [
        {"color_range": 2, "colorspace": 1, "color_primaries": 1, "color_trc": 1},
        {"color_range": 1, "colorspace": 6, "color_primaries": 6, "color_trc": 6},
        {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16},
        {"color_range": 1, "colorspace": 5, "color_primaries": 5, "color_trc": 6},
        {},
    ],
)
def test_colour_description_is_kept_and_used(tmp_path, look):
    source = make_film(tmp_path / "in.mp4", range(3), look=look)
    run(source, tmp_path / "out.mp4", lambda picture: picture)
    with av.open(str(tmp_path / "out.mp4")) as film:
        frame = next(film.decode(video=0))
    for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
        assert getattr(frame, name) == look.get(name, 2 if name != "color_range" else frame.color_range)
    # the plain colour, as decoded with the description, is the one the film was made from
    shown = VideoFile(str(tmp_path / "out.mp4"))
    picture = next(shown.frames()).image()
    assert np.abs(picture[:, 16, 30] * 255 - frame_pixels(0)[16, 30]).max() < 6


@pytest.mark.parametrize(
    ("kind", "target", "sound"),
    [("mp4", "mp4", ("aac", "aac")), ("mov", "mov", ("pcm_s16le",)), ("mkv", "mp4", ("aac",))],
)
def test_sound_is_copied_packet_by_packet(tmp_path, kind, target, sound):
    source = make_film(tmp_path / f"in.{kind}", sound=sound)
    run(source, tmp_path / f"out.{target}")
    for index in range(len(sound)):
        packets = sound_packets(tmp_path / f"out.{target}", index)
        assert packets == sound_packets(source, index)
        assert len(packets) > 5
    with av.open(str(tmp_path / f"out.{target}")) as film:
        languages = [stream.language for stream in film.streams.audio]
    assert languages == ([None] if target == "mov" else ["deu"] * len(sound))  # MOV has no code for deu


def test_pictures_and_sound_stay_together_where_times_start_later(tmp_path):
    source = make_film(tmp_path / "in.mp4", sound=("aac",))  # the encoder's first sound lies before 0
    run(source, tmp_path / "out.mkv")  # which Matroska cannot say: it moves all streams
    shifts = {
        round(float(b - a), 3)
        for a, b in zip(film_times(source)[0], film_times(tmp_path / "out.mkv")[0], strict=True)
    }
    first = sound_packets(tmp_path / "out.mkv")[0][0] - sound_packets(source)[0][0]
    assert shifts == {round(float(first), 3)}
    assert [data for _, data in sound_packets(tmp_path / "out.mkv")] == [
        data for _, data in sound_packets(source)
    ]


def test_sound_the_container_cannot_hold_is_told_before_the_work(tmp_path):
    source = make_film(tmp_path / "in.mkv", sound=("wavpack",))
    stylize = Counted()
    with pytest.raises(VideoError, match=r"out\.mp4: cannot store this sound.*use a \.mkv name"):
        run(source, tmp_path / "out.mp4", stylize)
    assert stylize.calls == 0
    assert names(tmp_path) == ["in.mkv"]
    run(source, tmp_path / "out.mkv")
    assert sound_packets(tmp_path / "out.mkv") == sound_packets(source)
    source = make_film(tmp_path / "in.asf", sound=("wmav2",), codec="mpeg4")
    with pytest.raises(VideoError, match=r"out\.mkv: cannot store this sound.*convert it to AAC first"):
        run(source, tmp_path / "out.mkv", stylize)


@pytest.mark.parametrize(("size", "expected"), [((33, 47), (32, 46)), ((32, 47), (32, 46)), ((2, 3), (2, 2))])
def test_the_last_row_or_column_of_odd_pictures_is_cut_off(tmp_path, size, expected):
    make_film(tmp_path / "in.mp4", range(2))
    height, width = size
    report = run(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda _: np.zeros((3, height, width)))
    assert film_pixels(tmp_path / "out.mp4").shape == (2, *expected, 3)
    assert (report.height, report.width) == expected


def test_a_single_pixel_is_no_film(tmp_path):
    make_film(tmp_path / "in.mp4", range(2))
    with pytest.raises(VideoError, match="frames of 1x8 pixels: a video needs at least 2x2"):
        run(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda _: np.zeros((3, 8, 1)))


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_rotated_films_are_turned_upright(tmp_path, degrees):
    with av.open(str(tmp_path / "in.mp4"), "w") as film:
        stream = film.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(degrees)
        pixels = np.zeros((32, 48, 3), np.uint8)
        pixels[:8, :8] = 255  # white in the top left corner
        film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode(None))
    run(tmp_path / "in.mp4", tmp_path / "out.mp4", lambda picture: picture)
    with av.open(str(tmp_path / "in.mp4")) as film:
        turned = next(film.decode(video=0)).rotation
    with av.open(str(tmp_path / "out.mp4")) as film:
        aspect = film.streams.video[0].sample_aspect_ratio
        assert next(film.decode(video=0)).rotation == 0
    assert abs(turned) == abs(degrees)
    assert aspect == (Fraction(4, 3) if degrees == 180 else Fraction(3, 4))
    shown = film_pixels(tmp_path / "out.mp4")[0].astype(int)
    assert np.abs(shown - np.rot90(pixels, turned // 90)).mean() < 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.mp4", None, r"absent\.mp4: no such file"),
        (".", None, "is a folder, not a video"),
        ("text.txt", b"hello world\n" * 40, "not a video"),
        ("text.mp4", b"hello world\n" * 40, "not a video that can be read"),
        ("empty.mp4", b"", "not a video that can be read"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:9,\nsecret.ts\n#EXT-X-ENDLIST\n", "not a video"),
    ],
)
def test_files_that_are_no_films(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=message) as raised:
        run(tmp_path / name, tmp_path / "out.mp4")
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out.mp4").exists()


def test_a_film_without_pictures(tmp_path):
    with av.open(str(tmp_path / "in.mp4"), "w") as film:
        add_sound(film, film.add_stream("aac", rate=8000, layout="mono"))
    with pytest.raises(VideoError, match="has no video stream, only audio"):
        run(tmp_path / "in.mp4", tmp_path / "out.mp4")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
def test_cut_films(tmp_path, cut):
    data = make_film(tmp_path / "in.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * cut)])
    with pytest.raises(VideoError, match=r"cut\.mp4: "):
        run(tmp_path / "cut.mp4", tmp_path / "out.mp4")


def test_damage_is_told_with_the_frame(tmp_path):
    source = make_film(tmp_path / "in.mkv")
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    source.write_bytes(data)
    try:  # what the decoder can conceal it does; what it cannot is one line
        run(source, tmp_path / "out.mp4")
    except NeuralStyleError as error:
        assert "in.mkv: damaged after frame" in str(error)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("out.xyz", VideoError, r"unknown video format '\.xyz'; the name must end in \.mp4"),
        ("out", VideoError, "unknown video format ''"),
        ("absent/out.mp4", VideoError, "does not exist; create it first"),
        ("absent/%d.png", ImageError, "does not exist; create it first"),
        ("folder.mp4", VideoError, "cannot be written; check the name"),
        ("in.mp4", VideoError, "would overwrite the source"),
    ],
)
def test_targets_that_cannot_be_written(tmp_path, name, kind, message):
    make_film(tmp_path / "in.mp4", range(2))
    (tmp_path / "folder.mp4").mkdir()
    before, stylize = names(tmp_path), Counted()
    with pytest.raises(kind, match=message):
        run(tmp_path / "in.mp4", tmp_path / name, stylize)
    assert names(tmp_path) == before
    assert stylize.calls == 0


def test_an_unwritable_folder(tmp_path, monkeypatch):
    source = make_film(tmp_path / "in.mp4", range(2))
    monkeypatch.setattr("core.transform.video.writer.os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(VideoError, match="cannot be written; check the name and the folder's permissions"):
        run(source, tmp_path / "out.mp4")


def test_without_pyav_it_says_what_to_install(tmp_path, monkeypatch):
    import sys

    source = make_film(tmp_path / "in.mp4", range(2))
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(VideoError, match=r"pip install 'neural-style-exact\[video\]'"):
        run(source, tmp_path / "out.mp4")
