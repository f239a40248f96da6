"""A stopped video is continued with the same result; smoothing across parts."""

import numpy as np
import pytest

from core.errors import VideoError
from core.transform.video.smoothing import Smoother
from tests.support.compare import assert_identical
from tests.support.film_factory import Counted, film_times, make_film, names, run


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize(("fail_at", "kept"), [(4, 0), (7, 6), (16, 12), (20, 18)])
def test_a_stopped_run_goes_on_and_gives_the_same(tmp_path, alpha, fail_at, kept):
    source = make_film(tmp_path / "in.mp4", sound=("aac",))
    run(source, tmp_path / "whole.mp4", temporal_alpha=alpha)
    with pytest.raises(RuntimeError, match="power cut"):
        run(source, tmp_path / "out.mp4", Counted(fail_at), temporal_alpha=alpha)
    assert names(tmp_path) == [".out.mp4.parts", "in.mp4", "whole.mp4"]
    again, seen = Counted(), []
    report = run(
        source, tmp_path / "out.mp4", again, temporal_alpha=alpha, progress=lambda *step: seen.append(step)
    )
    assert again.calls == 20 - kept
    assert report.resumed_frames == kept
    assert report.frames == 20
    assert seen[0] == (kept or 1, 20)
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert names(tmp_path) == ["in.mp4", "out.mp4", "whole.mp4"]


@pytest.mark.parametrize("change", ["fingerprint", "temporal_alpha", "part_frames", "source"])
def test_what_another_run_left_is_discarded(tmp_path, change):
    source = make_film(tmp_path / "in.mp4")
    with pytest.raises(RuntimeError):
        run(source, tmp_path / "out.mp4", Counted(16))
    options = {"fingerprint": "other", "temporal_alpha": 0.5, "part_frames": 5}
    if change == "source":
        make_film(source, range(1, 21))
    again = Counted()
    run(source, tmp_path / "out.mp4", again, **({change: options[change]} if change in options else {}))
    assert again.calls == 20


def test_a_damaged_part_is_made_again(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    run(source, tmp_path / "whole.mp4")
    with pytest.raises(RuntimeError):
        run(source, tmp_path / "out.mp4", Counted(20))
    part = tmp_path / ".out.mp4.parts" / "00001.npz"
    part.write_bytes(part.read_bytes()[:-100])
    again = Counted()
    run(source, tmp_path / "out.mp4", again)
    assert again.calls == 14
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_a_lost_picture_makes_smoothing_begin_again(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    with pytest.raises(RuntimeError):
        run(source, tmp_path / "out.mp4", Counted(20), temporal_alpha=0.5)
    assert names(tmp_path / ".out.mp4.parts") == [
        *("00000.npz", "00001.npz", "00002.npz", "00018.npy", "state.json")
    ]
    (tmp_path / ".out.mp4.parts" / "00018.npy").unlink()
    again = Counted()
    run(source, tmp_path / "out.mp4", again, temporal_alpha=0.5)
    assert again.calls == 20


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    source = make_film(tmp_path / "in.mp4", range(2))
    (tmp_path / ".out.mp4.parts").mkdir()
    (tmp_path / ".out.mp4.parts" / "thesis.txt").write_text("mine")
    with pytest.raises(VideoError, match="contains files that are not from a stopped run"):
        run(source, tmp_path / "out.mp4")
    assert (tmp_path / ".out.mp4.parts" / "thesis.txt").read_text() == "mine"


def test_smoothing_is_the_formula():
    pictures = np.random.default_rng(1).random((4, 3, 2, 5)) * 3 - 1
    smoother, shown = Smoother(0.3), None
    for picture in pictures:
        shown = picture if shown is None else (1 - 0.3) * picture + 0.3 * shown
        assert_identical(smoother.show(picture), shown)
    assert_identical(Smoother(0.0).show(pictures[0]), pictures[0])
    with pytest.raises(VideoError, match="-temporal_alpha 1: must be at least 0 and less than 1"):
        Smoother(1.0)
    with pytest.raises(VideoError, match="-temporal_alpha nan"):
        Smoother(float("nan"))


def test_an_old_target_stays_until_the_new_one_is_complete(tmp_path):
    source = make_film(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").write_bytes(b"before")
    with pytest.raises(RuntimeError):
        run(source, tmp_path / "out.mp4", Counted(15))
    assert (tmp_path / "out.mp4").read_bytes() == b"before"
    run(source, tmp_path / "out.mp4")
    assert len(film_times(tmp_path / "out.mp4")[0]) == 20
    assert (tmp_path / "out.mp4").stat().st_mode & 0o777 == source.stat().st_mode & 0o777
