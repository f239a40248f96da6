"""The loop of webcam_demo, with a simulated camera and window, and real videos and recordings."""

import dataclasses
import sys
import types
from fractions import Fraction

import numpy as np
import pytest

from cli.webcam_demo import run_webcam
from core.errors import SettingsError, VideoError
from core.transform.video import webcam
from core.transform.video.webcam import WebcamOptions, camera_frames, tile, tiled_frames, video_frames
from tests.support.film_factory import film_pixels, film_times, make_film

FACTS = {"CAP_PROP_FRAME_WIDTH": 3, "CAP_PROP_FRAME_HEIGHT": 4, "CAP_PROP_FPS": 5}


def invert(picture):
    return 1 - picture


class Camera:
    """cv2.VideoCapture: two frames, then nothing."""

    def __init__(self, number):
        self.number, self.asked, self.left, self.released = number, {}, 2, False
        Camera.last = self

    def isOpened(self):  # noqa: N802
        return self.number == 0

    def set(self, name, value):
        self.asked[name] = value

    def read(self):
        self.left -= 1
        return self.left >= 0, np.full((4, 6, 3), (0, 51, 255), np.uint8)

    def release(self):
        self.released = True


class Screen(types.SimpleNamespace):
    """The windows of cv2; ``keys`` are typed one after the other, then the window is closed."""

    WINDOW_AUTOSIZE = WND_PROP_VISIBLE = 1
    error = RuntimeError

    def __init__(self, keys):
        super().__init__(keys=list(keys), shown=[], closed=False)

    def namedWindow(self, *_):  # noqa: N802
        pass

    def imshow(self, _, pixels):
        self.shown.append(pixels)

    def waitKey(self, _):  # noqa: N802
        return self.keys.pop(0) if self.keys else -1

    def getWindowProperty(self, *_):  # noqa: N802
        return 1.0 if self.keys else 0.0

    def destroyAllWindows(self):  # noqa: N802
        self.closed = True


def test_defaults_are_the_original_s():
    values = {item.name: item.default for item in dataclasses.fields(WebcamOptions)}
    assert values == {
        **{"models": ("models/instance_norm/candy.t7",), "height": 480.0, "width": 640.0, "gpu": -1.0},
        **{"backend": "cuda", "use_cudnn": 1.0, "webcam_idx": 0.0, "webcam_fps": 60.0},
        **{"video": "", "frames": 0.0, "output_video": "", "show": 1.0},
    }
    ours = [item.name for item in dataclasses.fields(WebcamOptions) if item.metadata["ours"]]
    assert ours == ["video", "frames", "output_video", "show"]
    assert all(item.metadata["help"] for item in dataclasses.fields(WebcamOptions))


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 2, 2), (5, 3, 2)]
)
def test_tiles_are_placed_as_by_to_display_tensor(count, rows, columns):
    pictures = [np.full((3, 2, 4), value / 10 - 0.1) for value in range(count)]
    grid = tile(pictures)
    assert grid.shape == (3, 2 * rows, 4 * columns)
    for place in range(rows * columns):
        y, x = divmod(place, columns)
        expected = max(0.0, min(place, count - 1) / 10 - 0.1)  # left over: the largest value of all
        assert (grid[:, 2 * y : 2 * y + 2, 4 * x : 4 * x + 4] == expected).all()


def test_tiles_are_clamped_and_have_one_size():
    assert tile([np.array([-1.0, 0.5, 2.0]).reshape(3, 1, 1)]).ravel().tolist() == [0, 0.5, 1]
    with pytest.raises(VideoError, match="a frame of 4x2 pixels follows frames of 4x3"):
        tile([np.zeros((3, 3, 4)), np.zeros((3, 2, 4))])


def test_every_frame_goes_through_every_network():
    frames = [(Fraction(i), np.full((3, 1, 1), i / 4)) for i in range(3)]
    shown = list(tiled_frames(frames, [lambda x: x, invert]))
    assert [(seconds, picture[0].ravel().tolist()) for seconds, picture in shown] == [
        *[(0, [0.0, 1.0]), (1, [0.25, 0.75]), (2, [0.5, 0.5])]
    ]


def test_the_camera_is_asked_for_size_and_speed(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.SimpleNamespace(VideoCapture=Camera, **FACTS))
    frames = camera_frames(WebcamOptions(height=100.0, width=200.0, webcam_fps=15.0))
    seconds, picture = next(frames)
    assert Camera.last.asked == {3: 200.0, 4: 100.0, 5: 15.0}
    assert picture.shape == (3, 4, 6)
    assert np.abs(picture[:, 0, 0] - [1, 0.2, 0]).max() < 1e-12
    assert 0 <= seconds <= next(frames)[0]
    with pytest.raises(VideoError, match="-webcam_idx 0: the camera delivers no more frames"):
        next(frames)
    assert Camera.last.released
    with pytest.raises(VideoError, match="-webcam_idx 3: no such camera; choose another number"):
        next(camera_frames(WebcamOptions(webcam_idx=3.0)))


def test_a_film_in_place_of_the_camera_is_recorded_with_its_times(tmp_path, capsys):
    source = make_film(tmp_path / "in.mkv", [500, 540, 547, 700, 1740], base=Fraction(1, 1000))
    options = WebcamOptions(video=str(source), output_video=str(tmp_path / "out.mp4"), show=0.0)
    assert run_webcam(options, [lambda picture: picture, invert]) == 0
    assert film_times(tmp_path / "out.mp4")[0] == [Fraction(t, 1000) for t in (0, 40, 47, 200, 1240)]
    recorded = film_pixels(tmp_path / "out.mp4").astype(int)
    assert recorded.shape == (5, 64, 48, 3)
    assert np.abs(recorded[:, :32] - film_pixels(source)).mean() < 4
    assert np.abs(recorded[:, 32:] - (255 - film_pixels(source))).mean() < 4
    told = capsys.readouterr()
    assert told.err.startswith("webcam_demo: 5 frames in ")
    assert told.err.endswith(" frames per second\n")
    assert told.out == ""


def test_it_stops_after_so_many_frames(tmp_path, capsys):
    source = make_film(tmp_path / "in.mp4")
    options = WebcamOptions(video=str(source), frames=3.0, show=0.0)
    calls = []
    assert run_webcam(options, [lambda picture: calls.append(1) or picture]) == 0
    assert len(calls) == 3
    assert "webcam_demo: 3 frames in" in capsys.readouterr().err


def test_ctrl_c_ends_it_and_keeps_the_recording(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    calls = []

    def stylize(picture):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return picture

    options = WebcamOptions(video=str(source), output_video=str(tmp_path / "out.mkv"), show=0.0)
    assert run_webcam(options, [stylize]) == 0
    assert film_pixels(tmp_path / "out.mkv").shape == (7, 32, 48, 3)


def test_an_error_leaves_no_recording(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    sizes = iter([(4, 4), (4, 4), (4, 6)])
    options = WebcamOptions(video=str(source), output_video=str(tmp_path / "out.mp4"), show=0.0)
    with pytest.raises(VideoError, match="a frame of 6x4 pixels follows frames of 4x4"):
        run_webcam(options, [lambda _: np.zeros((3, *next(sizes)))])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4"]


@pytest.mark.parametrize(("keys", "shown"), [((-1, -1, ord("q"), -1), 3), ((-1, 27, -1), 2), ((-1, -1), 2)])
def test_q_esc_or_closing_the_window_ends_it(tmp_path, monkeypatch, keys, shown):
    source, screen = make_film(tmp_path / "in.mp4"), Screen(keys)
    monkeypatch.setattr(webcam, "import_cv2", lambda: screen)
    assert run_webcam(WebcamOptions(video=str(source)), [lambda _: np.full((3, 2, 2), 0.5)]) == 0
    assert len(screen.shown) == shown
    assert screen.shown[0].tolist() == [[[127] * 3] * 2] * 2
    assert screen.closed


def test_colours_reach_the_window_as_bgr(tmp_path, monkeypatch):
    source, screen = make_film(tmp_path / "in.mp4", range(1)), Screen([-1])
    monkeypatch.setattr(webcam, "import_cv2", lambda: screen)
    run_webcam(WebcamOptions(video=str(source)), [lambda _: np.array([1.0, 0.5, 0]).reshape(3, 1, 1)])
    assert screen.shown[0].tolist() == [[[0, 127, 255]]]


def test_without_windows_it_says_what_to_install(tmp_path, monkeypatch):
    screen = Screen([])
    screen.namedWindow = lambda *_: (_ for _ in ()).throw(RuntimeError("not implemented"))
    monkeypatch.setattr(webcam, "import_cv2", lambda: screen)
    with pytest.raises(VideoError, match="pip install opencv-python; without: -show 0"):
        run_webcam(WebcamOptions(video=str(make_film(tmp_path / "in.mp4"))), [invert])


def test_without_opencv_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(VideoError, match=r"pip install 'neural-style-exact\[video\]'"):
        next(camera_frames(WebcamOptions()))


def test_a_film_that_is_none():
    with pytest.raises(VideoError, match="no such file"):
        next(video_frames("absent.mp4"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 0.0}, "-height 0: must be a whole number from 1"),
        ({"width": 1.5}, "-width 1.5: must be a whole number"),
        ({"width": float("nan")}, "-width nan"),
        ({"webcam_idx": -1.0}, "-webcam_idx -1"),
        ({"frames": float("inf")}, "-frames inf"),
        ({"show": 2.0}, "-show 2: must be a whole number from 0 to 1"),
        ({"webcam_fps": 0.0}, "-webcam_fps 0: must be at least 0.01"),
        ({"webcam_fps": float("nan")}, "-webcam_fps nan"),
        ({"show": 0.0}, "-show 0: there would be no output; add -output_video or -frames"),
        ({"video": "a.mp4", "output_video": "a.mp4"}, "-output_video: would overwrite -video"),
    ],
)
def test_values_that_mean_nothing(changes, message):
    with pytest.raises(SettingsError, match=message):
        run_webcam(WebcamOptions(**changes), [invert])


def test_a_recording_that_cannot_be_written():
    with pytest.raises(VideoError, match=r"unknown video format '\.webm'"):
        run_webcam(WebcamOptions(output_video="a.webm"), [invert])
