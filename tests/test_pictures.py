"""Pictures: pixel by pixel, and files that are no usable image."""

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from dalikit import pictures
from dalikit.data.inputs import Inputs
from dalikit.errors import RunError, UserError
from dalikit.interfaces import DataSpec


def read_image(path, spec):
    """An image file as x (*X), as a run on data of `spec` takes it in."""
    return Inputs(spec).prepare(path).whole()[0]


def test_a_grid_shows_each_image_in_its_place_without_smoothing():
    x = torch.full((3, 1, 4, 4), -1.0)
    x[1] = 1.0
    x[2, 0, 0, 0] = 0.0
    picture = pictures.grid(x, (-1.0, 1.0), columns=2)
    scale = picture.width // (2 * 5 + 1)
    small = np.asarray(picture)[scale // 2 :: scale, scale // 2 :: scale, 0]
    assert small.shape == (11, 11)
    assert (small[1:5, 1:5] == 0).all()
    assert (small[1:5, 6:10] == 255).all()
    assert small[6, 1] == 128
    assert small[0, 0] == 96  # the frame


@pytest.mark.parametrize("size", [(8, 40), (40, 8), (24, 40), (8, 8)])
def test_a_grid_of_images_of_any_shape_is_about_square_and_shows_each_whole(size):
    greys = torch.arange(128, 192)  # none of them the frame's
    x = (greys / 127.5 - 1)[:, None, None, None].expand(64, 1, *size)
    picture = pictures.grid(x, (-1.0, 1.0))
    assert 1 / 1.6 < picture.width / picture.height < 1.6
    assert picture.height <= 2 * pictures.SIDE
    shown, areas = np.unique(np.asarray(picture)[..., 0], return_counts=True)
    found = dict(zip(shown.tolist(), areas.tolist(), strict=True))
    own = [found[grey] for grey in greys.tolist()]
    scale = (own[0] / (size[0] * size[1])) ** 0.5
    assert scale == int(scale) >= 1
    assert set(own) == {own[0]}


def test_pairs_stay_side_by_side_whatever_the_shape():
    spec = DataSpec((1, 24, 8), (-1.0, 1.0))
    x = torch.full((9, 1, 24, 8), -1.0)
    picture = np.asarray(pictures.draw_pairs(x, -x, spec))
    dark, bright = ((picture == level).all(2).any(0) for level in (0, 255))
    assert not (dark & bright).any()  # no column has originals and reconstructions


@pytest.mark.parametrize("channels", [1, 3])
def test_a_single_image_keeps_its_size_and_is_read_back(channels, tmp_path):
    x = (torch.randint(0, 256, (channels, 8, 8)).float() / 127.5) - 1
    path = tmp_path / "deep" / "image.png"
    pictures.save(pictures.single(x, (-1.0, 1.0)), path)
    assert Image.open(path).size == (8, 8)
    torch.testing.assert_close(read_image(path, DataSpec((channels, 8, 8), (-1.0, 1.0))), x)


def test_values_outside_the_range_are_clipped_not_wrapped():
    image = pictures.single(torch.tensor([[[-3.0, 3.0]]]), (-1.0, 1.0))
    assert np.asarray(image).tolist() == [[0, 255]]


def test_grey_and_colour_are_converted(tmp_path):
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "red.png")
    grey = read_image(tmp_path / "red.png", DataSpec((1, 8, 8), (0.0, 1.0)))
    assert grey.shape == (1, 8, 8)
    assert float(grey.mean()) == pytest.approx(0.299, abs=0.005)
    Image.new("L", (8, 8), 100).save(tmp_path / "grey.png")
    colour = read_image(tmp_path / "grey.png", DataSpec((3, 8, 8), (0.0, 1.0)))
    assert colour.shape == (3, 8, 8)
    assert float(colour.std()) == 0


def test_a_photograph_is_read_upright(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(stored).save(tmp_path / "x.png", exif=exif)
    x = read_image(tmp_path / "x.png", DataSpec((1, 6, 4), (0.0, 255.0)))
    np.testing.assert_allclose(x[0].numpy(), np.rot90(stored, -1), atol=1e-4)


BLUE, GREY, ORANGE = (20, 60, 200), (190, 190, 190), (255, 140, 0)


def middle(picture, colour):
    """The middle of the marks of a colour, as shares of the side from the top and from the left."""
    found = np.argwhere((np.asarray(picture) == colour).all(2))
    return (found.min(0) + found.max(0)) / 2 / len(np.asarray(picture))


def area(picture, colour):
    return int((np.asarray(picture) == colour).all(2).sum())


def test_a_scatter_puts_points_where_they_are():
    reference = torch.tensor([[0.0, 0.0], [10.0, 10.0]])
    picture = pictures.scatter(torch.tensor([[10.0, 0.0], [1e30, 0.0]]), reference)
    down, right = middle(picture, BLUE)
    edge = 1.5 / 13  # the margin's share of the window
    assert (down, right) == (pytest.approx(1 - edge, abs=0.01), pytest.approx(1 - edge, abs=0.01))
    assert 80 < area(picture, BLUE) < 150  # a mark that is seen; the other lies outside


def test_marks_are_the_larger_the_fewer_there_are():
    reference = torch.rand(2500, 2)
    few, many = (pictures.scatter(torch.full((n, 2), 0.5), reference) for n in (10, 2500))
    assert area(few, BLUE) > 4 * area(many, BLUE) > 0


def test_what_was_given_is_ringed_and_what_lies_in_the_ring_is_seen():
    reference = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    x = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.1, 0.9]])
    picture = pictures.scatter(x, reference, framed=[0])
    assert middle(picture, ORANGE) == pytest.approx((0.5, 0.5), abs=0.01)
    centre = np.asarray(picture)[len(np.asarray(picture)) // 2, picture.width // 2]
    assert tuple(centre) == BLUE


def test_pairs_of_images_alternate_and_the_originals_are_framed():
    spec = DataSpec((1, 4, 4), (-1.0, 1.0))
    levels = torch.tensor([-1.0, 0.0, 1.0])
    x = levels[:, None, None, None].expand(3, 1, 4, 4)
    picture = pictures.draw_pairs(x, -x, spec, columns=6)
    cell = 4 + 3  # an image, its frame, and a gap
    scale = picture.width // (6 * cell + 1)
    pixels = np.asarray(picture)
    inside = [pixels[4 * scale, (cell * i + 4) * scale] for i in range(6)]
    assert [int(pixel[0]) for pixel in inside] == [0, 255, 128, 128, 255, 0]
    around = [tuple(pixels[4 * scale, (cell * i + 1) * scale + scale // 2].tolist()) for i in range(6)]
    assert around == [ORANGE, (96, 96, 96)] * 3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("framed", [[0], [1, 3], range(4)])
def test_a_frame_changes_no_pixel_of_an_image(channels, framed):
    greys = torch.arange(130, 194).reshape(4, 1, 4, 4).expand(4, channels, 4, 4)  # none of them a frame's
    x = greys / 127.5 - 1
    picture = np.asarray(pictures.grid(x, (-1.0, 1.0), 2, framed))
    scale = (picture[..., 0] == 130).sum() ** 0.5
    assert scale == int(scale) >= 1
    for level in greys.unique().tolist():
        assert (picture == level).all(2).sum() == scale**2
    one = (pictures.grid(x[:1], (-1.0, 1.0), 1, [0]), pictures.grid(x[:1], (-1.0, 1.0), 1))
    assert [area(each, ORANGE) > 0 for each in one] == [True, False]


def test_points_are_drawn_over_the_originals():
    plane, x = DataSpec((2,)), torch.tensor([[0.0, 0.0], [10.0, 10.0]])
    again = torch.tensor([[10.0, 0.0]])
    expected = np.asarray(pictures.scatter(again, x))
    np.testing.assert_array_equal(np.asarray(pictures.draw(again, plane, x)), expected)
    assert area(pictures.scatter(again, x), GREY) > 0
    pairs = pictures.draw_pairs(x, x.flip(0), plane)  # each rebuilt as the other: a line along the diagonal
    assert tuple(np.asarray(pairs)[320, 319]) == (225, 225, 225)
    thicket = pictures.draw_pairs(x.repeat(150, 1), x.flip(0).repeat(150, 1), plane)
    assert tuple(np.asarray(thicket)[320, 319]) == (255, 255, 255)
    images = torch.rand(4, 1, 4, 4)
    drawn = pictures.draw(images, DataSpec((1, 4, 4), (0.0, 1.0)), images[:1], columns=4)
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(pictures.grid(images, (0.0, 1.0), columns=4)))


@pytest.mark.parametrize("title", ["Samples", "one line\nand another", "so long that it is broken " * 9])
def test_a_title_stands_above_and_changes_nothing_below(title):
    images, spec = torch.rand(4, 3, 8, 8), DataSpec((3, 8, 8), (0.0, 1.0))
    bare = np.asarray(pictures.draw(images, spec, images, 1))  # narrower than a title
    whole = np.asarray(pictures.draw(images, spec, images, 1, title=title))
    height, width = bare.shape[:2]
    assert whole.shape[1] == pictures.NARROWEST > width
    np.testing.assert_array_equal(whole[-height:, :width], bare)
    above = whole[:-height]
    assert (above < 128).any(), "there is ink"
    assert (above[:, -8:] == 255).all(), "and none that is cut off"


def test_what_can_be_drawn():
    bounds = (0.0, 1.0)
    assert pictures.drawable(DataSpec((2,), None))
    assert pictures.drawable(DataSpec((1, 8, 8), bounds))
    assert pictures.drawable(DataSpec((3, 8, 8), bounds))
    assert not pictures.drawable(DataSpec((4, 8, 8), bounds))
    assert not pictures.drawable(DataSpec((1, 8, 8), None))
    assert not pictures.drawable(DataSpec((2,), bounds))


def bad_files(folder):
    (folder / "text.png").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    noise = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "whole.png")
    whole = (folder / "whole.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "folder.png").mkdir()
    Image.new("1", (12000, 12000)).save(folder / "huge.png")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("text.png", "not an image file, or damaged"),
        ("empty.png", "not an image file, or damaged"),
        ("cut.png", "truncated|broken|damaged|cannot"),
        ("folder.png", "there is none in"),
        ("nowhere.png", "No such file"),
        ("huge.png", "12,000×12,000: more than 64 million pixels"),
    ],
)
def test_files_that_are_no_usable_image_are_named(tmp_path, name, says):
    bad_files(tmp_path)
    with pytest.raises(UserError, match=says) as raised:
        read_image(tmp_path / name, DataSpec((1, 8, 8), (-1.0, 1.0)))
    assert name in str(raised.value)


def test_grey_of_16_bits_is_read_as_data_sets_read_it(tmp_path):
    Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(tmp_path / "deep.png")
    x = read_image(tmp_path / "deep.png", DataSpec((1, 8, 8), (0.0, 255.0)))
    assert x.unique().tolist() == [40_000 // 256]


def test_a_picture_that_cannot_be_written_is_a_failure_of_the_run(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Cannot write"):
        pictures.save(Image.new("L", (2, 2)), tmp_path / "file" / "a.png")
