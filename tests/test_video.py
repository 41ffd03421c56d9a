"""Films: read back by other means than they were written by, as long and as fast as they should be."""

import sys
from itertools import pairwise

import imageio_ffmpeg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from dalikit import video
from dalikit.errors import RunError, UserError

COLOURS = [ImageColor.getrgb(name) for name in ("red", "lime", "blue", "white", "black")]


def frames(size=(31, 20)):
    return [Image.new("RGB", size, colour) for colour in COLOURS]


def near(colour, other) -> bool:
    return max(abs(a - b) for a, b in zip(colour, other, strict=True)) < 12


@pytest.mark.parametrize("loop", [True, False])
def test_a_gif_has_the_pictures_in_order_at_their_speed(tmp_path, loop):
    assert video.save(iter(frames()), tmp_path / "film.gif", fps=10, loop=loop) == 5
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 5
        assert ("loop" in film.info) is loop
        durations = []
        for number, colour in enumerate(COLOURS):
            film.seek(number)
            assert film.convert("RGB").getpixel((10, 10)) == colour
            durations.append(film.info["duration"])
        assert durations == [100, 100, 100, 100, 100 + 1000]


def test_an_mp4_has_the_pictures_in_order_at_their_speed(tmp_path):
    """Of odd sides, which its colours cannot have: a line of paper is added, and nothing is scaled."""
    assert video.save(iter(frames()), tmp_path / "film.mp4", fps=8) == 5
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "film.mp4"))
    facts = next(reader)
    found = [Image.frombytes("RGB", facts["size"], frame) for frame in reader]
    assert facts["size"] == (32, 20)
    assert facts["fps"] == 8
    assert facts["codec"] == "h264"
    assert len(found) == 5 + 8
    assert all(near(found[i].getpixel((10, 10)), colour) for i, colour in enumerate(COLOURS))
    assert near(found[-1].getpixel((10, 10)), COLOURS[-1])


@pytest.mark.parametrize("suffix", video.SUFFIXES)
def test_a_film_is_whole_or_not_there(tmp_path, suffix):
    path = tmp_path / f"film{suffix}"
    path.write_bytes(b"earlier")

    def broken():
        yield frames()[0]
        raise RunError("the third picture is damaged")

    with pytest.raises(RunError, match="the third picture is damaged"):
        video.save(broken(), path, fps=5)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"earlier"
    with pytest.raises(RunError, match="Cannot write"):
        video.save(iter(frames()), path / "film.gif", fps=5)


def test_what_cannot_be_written_is_said_in_a_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"film\.avi: a film ends in \.gif or \.mp4"):
        video.save(iter(frames()), tmp_path / "film.avi", fps=5)
    with pytest.raises(UserError, match=r"--no-loop is for \.gif"):
        video.check_writable(tmp_path / "film.mp4", loop=False)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"MP4 is written by imageio-ffmpeg: pip install 'dalikit\[video\]'"):
        video.save(iter(frames()), tmp_path / "film.mp4", fps=5)
    assert video.save(iter(frames()), tmp_path / "film.gif", fps=5) == 5


def test_a_caption_stands_below_and_hides_nothing():
    picture = Image.new("RGB", (60, 40), "red")
    found = video.captioned(picture, "step 1,500", (80, 50))
    assert found.size == (80, 50 + video.STRIP)
    assert found.crop((10, 5, 70, 45)).getcolors() == [(60 * 40, (255, 0, 0))]
    strip = found.crop((0, 50, 80, 80)).convert("L")
    assert strip.getextrema() == (20, 255)
    other = video.captioned(picture, "step 1,600", (80, 50)).crop((0, 50, 80, 80)).convert("L")
    assert other.tobytes() != strip.tobytes()


@given(st.integers(2, 500), st.integers(2, 60))
def test_pictures_are_evenly_spaced_and_the_ends_are_kept(count, most):
    found = video.spaced(range(count), most)
    assert len(found) == min(count, most)
    assert (found[0], found[-1]) == (0, count - 1)
    gaps = {b - a for a, b in pairwise(found)}
    assert max(gaps) - min(gaps) <= 1
