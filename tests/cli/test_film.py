"""`dalikit film`, and `dalikit interpolate --video`."""

import shutil

import imageio_ffmpeg
import pytest
from PIL import Image

import dalikit
from dalikit import pictures


@pytest.fixture
def filmed(trained, tmp_path):
    """A run with samples of three steps, the middle one smaller, the last of more digits than a name has."""
    run = shutil.copytree(trained, tmp_path / "run")
    first = Image.open(run / "samples" / "step-000000.png")
    first.resize((200, 150)).save(run / "samples" / "step-000010.png")
    first.save(run / "samples" / "step-1000000.png")
    return run


def test_a_training_as_a_film(cli, filmed):
    done = cli("film", filmed, "--fps", 4)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Wrote {filmed / 'film.gif'}: 4 pictures\n"
    sizes = [Image.open(path).size for path in (filmed / "samples").glob("*.png")]
    with Image.open(filmed / "film.gif") as film:
        assert film.n_frames == 4
        assert film.width == max(width for width, _ in sizes)
        assert film.height > max(height for _, height in sizes)
        film.seek(1)
        middle = film.convert("RGB").getpixel((2, 2))
    assert middle == (255, 255, 255), "the smaller picture stands in the middle of the sheet"
    assert cli("film", filmed).stdout == f"Wrote {filmed / 'film-2.gif'}: 4 pictures\n"


def test_fewer_pictures_keep_the_ends(cli, filmed):
    out = filmed / "short.mp4"
    assert cli("film", filmed, "--out", out, "--frames", 2, "--fps", 5).stdout == f"Wrote {out}: 2 pictures\n"
    facts = next(imageio_ffmpeg.read_frames(str(out)))
    assert (facts["fps"], round(facts["duration"], 1)) == (5, 1.4)


def test_what_is_no_film_is_said_in_a_line(cli, trained, filmed, tmp_path):
    for words, said in (
        ((filmed, "--out", tmp_path / "film.avi"), "what can be written here is .gif, .mp4"),
        ((filmed, "--out", tmp_path / "film.mp4", "--no-loop"), "--no-loop is for .gif"),
        ((tmp_path,), "is not a run"),
    ):
        done = cli("film", *words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr
    (filmed / "samples" / "step-000010.png").write_bytes(b"nonsense")
    done = cli("film", filmed)
    assert done.returncode == 2
    assert "step-000010.png: not an image file, or damaged" in done.stderr
    assert not (filmed / "film.gif").exists()
    shutil.rmtree(filmed / "samples")
    done = cli("film", filmed)
    assert "has 0 pictures in samples/, and a film needs two" in done.stderr


def test_a_walk_as_a_film(cli, trained, tmp_path):
    out = tmp_path / "walk.gif"
    done = cli("interpolate", trained, 3, 8, "--video", out, "--steps", 5, "--fps", 10)
    assert done.stdout == f"Wrote {out}: 5 pictures\n", done.stderr
    model = dalikit.load(trained)
    x = model.data("test", 9)
    ends = model.reconstruct(x[[3, 8]])
    with Image.open(out) as film:
        last, durations = film.n_frames - 1, []
        for number in range(film.n_frames):  # pictures that are alike become one that stays as long
            film.seek(number)
            durations.append(film.info["duration"])
        assert sum(durations) == 5 * 100 + 1000
        for number, end in ((0, ends[:1]), (last, ends[1:])):
            film.seek(number)
            expected = pictures.grid(end, model.spec.value_range)
            assert film.size == expected.size
            found = film.convert("L").resize((10, 10), Image.Resampling.BOX).tobytes()
            there = expected.convert("L").resize((10, 10), Image.Resampling.BOX).tobytes()
            assert max(abs(a - b) for a, b in zip(found, there, strict=True)) <= 4
    again = cli("interpolate", trained, 3, 8, "--video", out)
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--video", "walk.gif", "--out", "walk.png"), "--out and --video each say what is written"),
        (("--fps", 5), "--fps and --no-loop are of a film: --video FILE.gif names it"),
        (("--no-loop",), "--fps and --no-loop are of a film"),
        (("--video", "walk.png"), "walk.png: a film ends in .gif or .mp4"),
        (("--video", "walk.mp4", "--no-loop"), "--no-loop is for .gif"),
    ],
)
def test_options_that_do_not_go_together(cli, trained, words, said):
    done = cli("interpolate", trained, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
