"""Numbered pictures as source and target."""

from fractions import Fraction

import av
import numpy as np
import pytest

from core.errors import VideoError
from core.pictures.images import load_image, save_image
from tests.support.film_factory import (
    Counted,
    film_times,
    make_film,
    names,
    run,
    write_pictures,
)


def test_pictures_to_film_and_back(tmp_path):
    write_pictures(tmp_path / "a", range(7, 17))
    run(tmp_path / "a" / "%04d.png", tmp_path / "out.mp4", fps=30000 / 1001)
    assert film_times(tmp_path / "out.mp4")[0] == [Fraction(1001 * i, 30000) for i in range(10)]
    with av.open(str(tmp_path / "out.mp4")) as film:
        frame = next(film.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
    (tmp_path / "b").mkdir()
    run(tmp_path / "out.mp4", tmp_path / "b" / "f%d.png")
    assert names(tmp_path / "b") == sorted(f"f{i}.png" for i in range(1, 11))
    back = load_image(tmp_path / "b" / "f1.png")
    assert np.abs(back - load_image(tmp_path / "a" / "0007.png")).mean() < 0.02


def test_pictures_to_pictures_keep_their_numbers(tmp_path):
    write_pictures(tmp_path / "a", range(9, 12), "p{}%.png")
    (tmp_path / "b").mkdir()
    run(tmp_path / "a" / "p%d%%.png", tmp_path / "b" / "%03d.ppm", temporal_alpha=0.25)
    assert names(tmp_path / "b") == ["009.ppm", "010.ppm", "011.ppm"]
    first, second = (1 - load_image(tmp_path / "a" / f"p{i}%.png") for i in (9, 10))
    expected = np.floor((0.75 * second + 0.25 * first) * 255)
    assert np.abs(load_image(tmp_path / "b" / "010.ppm") * 255 - expected).max() < 0.01


@pytest.mark.parametrize(("alpha", "kept"), [(0.0, 9), (0.5, 8)])
def test_a_stopped_sequence_goes_on_and_gives_the_same(tmp_path, alpha, kept):
    write_pictures(tmp_path / "a", range(5, 20))
    for folder in ("b", "whole"):
        (tmp_path / folder).mkdir()
    write_pictures(tmp_path / "b", range(5, 20))  # left by somebody; they are no part of this run
    options = {"temporal_alpha": alpha, "part_frames": 4}
    source = tmp_path / "a" / "%04d.png"
    run(source, tmp_path / "whole" / "%04d.png", **options)
    with pytest.raises(RuntimeError):
        run(source, tmp_path / "b" / "%04d.png", Counted(10), **options)
    again = Counted()
    report = run(source, tmp_path / "b" / "%04d.png", again, **options)
    assert (again.calls, report.resumed_frames, report.frames) == (15 - kept, kept, 15)
    assert names(tmp_path / "b") == names(tmp_path / "whole")
    for path in (tmp_path / "b").iterdir():
        assert path.read_bytes() == (tmp_path / "whole" / path.name).read_bytes()


@pytest.mark.parametrize(("alpha", "calls"), [(0.0, 7), (0.5, 15)])
def test_a_picture_removed_meanwhile_is_made_again(tmp_path, alpha, calls):
    write_pictures(tmp_path / "a", range(5, 20))
    (tmp_path / "b").mkdir()
    options = {"temporal_alpha": alpha, "part_frames": 4}
    with pytest.raises(RuntimeError):
        run(tmp_path / "a" / "%04d.png", tmp_path / "b" / "%04d.png", Counted(10), **options)
    (tmp_path / "b" / "0006.png").unlink()
    again = Counted()
    run(tmp_path / "a" / "%04d.png", tmp_path / "b" / "%04d.png", again, **options)
    assert again.calls == calls
    assert len(names(tmp_path / "b")) == 15


def test_a_gap_is_named(tmp_path):
    write_pictures(tmp_path / "a", [3, 4, 6])
    with pytest.raises(VideoError, match=r"0005\.png: missing, but .*0006\.png exists"):
        run(tmp_path / "a" / "%04d.png", tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["f.png", "%d_%d.png", "%s.png", "%x%d.png", "%.png", "%-4d.png", "%d%.png"])
def test_patterns_have_exactly_one_number(tmp_path, name):
    with pytest.raises(VideoError, match="exactly one number in its name"):
        run(tmp_path / name, tmp_path / "out.mp4")
    with pytest.raises(VideoError, match="exactly one number in its name"):
        run(make_film(tmp_path / "in.mp4", range(2)), tmp_path / name)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), 1001, 1e-9])
def test_impossible_frame_rates(tmp_path, fps):
    write_pictures(tmp_path / "a", [1])
    with pytest.raises(VideoError, match="-fps"):
        run(tmp_path / "a" / "%04d.png", tmp_path / "out.mp4", fps=fps)


def test_frames_of_different_sizes(tmp_path):
    write_pictures(tmp_path / "a", range(1, 8))
    save_image(tmp_path / "a" / "0004.png", np.zeros((3, 10, 12)))
    for alpha in (0.0, 0.5):
        with pytest.raises(VideoError, match="a frame of 12x10 pixels follows frames of 48x32"):
            run(tmp_path / "a" / "%04d.png", tmp_path / "out.mp4", temporal_alpha=alpha)
