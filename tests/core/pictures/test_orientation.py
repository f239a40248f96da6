"""Photos that viewers would turn."""

import pytest
from PIL import Image

from core.pictures.orientation import is_turned


@pytest.mark.parametrize("orientation, turned", [(None, False), (1, False), (3, True), (6, True)])
def test_the_camera_s_word(tmp_path, orientation, turned):
    photo = Image.new("RGB", (8, 6))
    exif = photo.getexif()
    if orientation:
        exif[0x112] = orientation
    photo.save(tmp_path / "photo.jpg", exif=exif)
    assert is_turned(tmp_path / "photo.jpg") is turned


def test_what_cannot_be_read_is_not_turned(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe1\x00\x10Exif")
    assert not is_turned(tmp_path / "photo.jpg")
    assert not is_turned(tmp_path / "none.jpg")
