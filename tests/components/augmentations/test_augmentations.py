"""What a discriminator's sight is augmented by: the papers' maths restated, and the laws that hold of it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dalikit.components.augmentations.ada import ADA
from dalikit.components.augmentations.diffaugment import DiffAugment
from dalikit.components.augmentations.none import NoAugmentation
from dalikit.errors import UnfitError
from dalikit.functional import transforms
from dalikit.interfaces import DataSpec

SHAPES = [(1, 8, 8), (3, 28, 28), (3, 12, 20)]
RANGES = [(-1.0, 1.0), (0.0, 1.0)]
MANY = 4000

specs = st.builds(DataSpec, st.sampled_from(SHAPES), st.sampled_from(RANGES))
seeds = st.integers(0, 2**31)


def ada(spec: DataSpec, p: float = 1.0, **settings) -> ADA:
    augmentation = ADA(spec, **settings)
    augmentation.p.fill_(p)
    return augmentation


def images(spec: DataSpec, count: int = 6, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    low, high = spec.value_range
    return low + (high - low) * torch.rand(count, *spec.x_shape, dtype=dtype)


CHANGING = pytest.mark.parametrize("make", [DiffAugment, ada], ids=["diffaugment", "ada"])


def moved_by_loop(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    result = torch.zeros_like(image)
    for row in range(image.shape[1]):
        for column in range(image.shape[2]):
            if 0 <= row - down < image.shape[1] and 0 <= column - right < image.shape[2]:
                result[:, row, column] = image[:, row - down, column - right]
    return result


# All of them.


@given(st.sampled_from([(2,), *SHAPES]), seeds)
def test_none_is_the_identity(shape, seed):
    torch.manual_seed(seed)
    augmentation, x = NoAugmentation(DataSpec(shape)), torch.randn(3, *shape)
    assert augmentation(x) is x
    assert not augmentation.changes


@CHANGING
@settings(max_examples=20, deadline=None)
@given(spec=specs, seed=seeds)
def test_each_datum_is_augmented_on_its_own_and_repeats_under_a_seed(make, spec, seed):
    torch.manual_seed(seed)
    augmentation, x = make(spec), images(spec, 1).repeat(6, 1, 1, 1)
    torch.manual_seed(seed)
    first = augmentation(x)
    torch.manual_seed(seed)
    assert torch.equal(first, augmentation(x))
    assert first.shape == x.shape
    assert first.dtype == x.dtype
    assert first.isfinite().all()
    assert len(first.flatten(1).unique(dim=0)) == 6
    assert augmentation.changes


@CHANGING
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_other_precisions_are_kept(make, dtype, shape):
    spec = DataSpec(shape, (-1.0, 1.0))
    assert make(spec)(images(spec).to(dtype)).dtype == dtype


@CHANGING
@settings(max_examples=20, deadline=None)
@given(spec=specs, seed=seeds)
def test_no_datum_depends_on_another(make, spec, seed):
    torch.manual_seed(seed)
    augmentation, x = make(spec), images(spec)
    torch.manual_seed(seed)
    together = augmentation(x)
    other = torch.cat([images(spec, 5), x[5:]])
    torch.manual_seed(seed)
    torch.testing.assert_close(augmentation(other)[5], together[5])


@CHANGING
@settings(max_examples=20, deadline=None)
@given(spec=specs, seed=seeds)
def test_the_gradient_is_that_of_an_affine_map(make, spec, seed):
    """Under given draws f(x) = Ax + b, so that f(x + v) - f(x) = Av, and the gradient of u·f is Aᵀu."""
    torch.manual_seed(seed)
    augmentation, x = make(spec), images(spec, dtype=torch.float64).requires_grad_()
    u, v = torch.randn_like(x), torch.randn_like(x)
    torch.manual_seed(seed)
    y = augmentation(x)
    torch.manual_seed(seed)
    moved = augmentation(x + v)
    (gradient,) = torch.autograd.grad((u * y).sum(), x)
    assert gradient.isfinite().all()
    assert (gradient.flatten(1).abs().sum(1) > 0).all()
    torch.testing.assert_close((gradient * v).sum(), (u * (moved - y)).sum())


@CHANGING
def test_a_penalty_on_gradients_has_a_gradient(make):
    """The derivative with respect to u of ½‖Aᵀu‖² is AAᵀu."""
    torch.manual_seed(0)
    spec = DataSpec((3, 8, 8), (-1.0, 1.0))
    augmentation, x = make(spec), images(spec, dtype=torch.float64).requires_grad_()
    u = torch.randn_like(x).requires_grad_()
    torch.manual_seed(1)
    y = augmentation(x)
    (at_u,) = torch.autograd.grad((u * y).sum(), x, create_graph=True)
    (found,) = torch.autograd.grad(0.5 * at_u.square().sum(), u)
    torch.manual_seed(1)
    at_zero = augmentation(torch.zeros_like(x))
    torch.manual_seed(1)
    torch.testing.assert_close(found, augmentation(at_u) - at_zero)


@CHANGING
@settings(max_examples=20, deadline=None)
@given(shape=st.sampled_from(SHAPES), low=st.floats(-3, 3), size=st.floats(0.1, 300), seed=seeds)
def test_another_value_range_is_another_unit(make, shape, low, size, seed):
    torch.manual_seed(seed)
    unit, other = DataSpec(shape, (-1.0, 1.0)), DataSpec(shape, (low, low + size))
    x = images(unit, dtype=torch.float64)
    torch.manual_seed(seed)
    expected = low + size * (make(unit)(x) + 1) / 2
    torch.manual_seed(seed)
    found = make(other)(low + size * (x + 1) / 2)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6 * (size + abs(low)))


@CHANGING
def test_nothing_waits_for_the_device(make):
    """On the meta device there are no values to read back."""
    spec = DataSpec((3, 8, 8), (-1.0, 1.0))
    augmentation = make(spec).to("meta")
    for _ in range(5):
        augmentation.observe(torch.zeros(6, device="meta"))
        assert augmentation(torch.zeros(6, 3, 8, 8, device="meta")).shape == (6, 3, 8, 8)


@pytest.mark.parametrize("make", [DiffAugment, ADA])
@pytest.mark.parametrize(
    ("spec", "named"),
    [(DataSpec((2,), (-1.0, 1.0)), r"\(2,\)"), (DataSpec((3, 8, 8)), r"\(3, 8, 8\) without a range")],
)
def test_what_is_no_image_is_refused(make, spec, named):
    with pytest.raises(UnfitError, match=f"^Augmentation '{make.name}' .*{named}$"):
        make(spec)


# DiffAugment.


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SHAPES), st.floats(0.01, 0.99), seeds)
def test_translation_shifts_by_whole_pixels_and_pads_with_the_middle_of_the_range(shape, share, seed):
    """Each result is one of all the shifts that the share allows, and none else."""
    torch.manual_seed(seed)
    spec = DataSpec(shape, (-1.0, 1.0))
    x = images(spec, 2)
    y = DiffAugment(spec, colour=False, translation=share, cutout=0.0)(x)
    spans = [math.floor(side * share + 0.5) for side in shape[1:]]
    for image, found in zip(x, y, strict=True):
        shifts = [(d, r) for d in range(-spans[0], spans[0] + 1) for r in range(-spans[1], spans[1] + 1)]
        kept = found.count_nonzero() // shape[0]
        near = [s for s in shifts if (shape[1] - abs(s[0])) * (shape[2] - abs(s[1])) == kept]
        assert any(torch.equal(found, moved_by_loop(image, *s)) for s in near)


@settings(deadline=None)
@given(st.integers(-9, 9), st.integers(-13, 13))
def test_shift_is_a_loop(down, right):
    x = torch.randn(2, 3, 5, 7)
    found = transforms.shift(x, torch.tensor([down, 0]), torch.tensor([right, 1]))
    assert torch.equal(found[0], moved_by_loop(x[0], down, right))
    assert torch.equal(found[1], moved_by_loop(x[1], 0, 1))


def test_every_shift_is_as_likely():
    torch.manual_seed(0)
    spec = DataSpec((1, 8, 16), (-1.0, 1.0))
    x = torch.zeros(MANY, 1, 8, 16)
    x[:, :, 4, 8] = 1
    y = DiffAugment(spec, colour=False, cutout=0.0)(x)
    counts = y.sum(0)[0] / MANY
    expected = torch.zeros(8, 16)
    expected[3:6, 6:11] = 1 / 15
    torch.testing.assert_close(counts, expected, rtol=0, atol=0.02)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(SHAPES), st.floats(0.1, 0.95), seeds)
def test_cutout_is_a_rectangle_centred_in_the_image(shape, share, seed):
    torch.manual_seed(seed)
    spec = DataSpec(shape, (-1.0, 1.0))
    y = DiffAugment(spec, colour=False, translation=0.0, cutout=share)(torch.ones(50, *shape))
    sides = [math.floor(side * share + 0.5) for side in shape[1:]]
    for image in y:
        hit = image == 0
        assert (hit == hit[0]).all()
        rows, columns = hit[0].any(1), hit[0].any(0)
        assert torch.equal(hit[0], rows[:, None] & columns[None])
        for line, side in zip((rows, columns), sides, strict=True):
            places = line.nonzero()[:, 0]
            assert side // 2 <= len(places) <= side
            assert len(places) == places.max() - places.min() + 1 if side > 1 else len(places) <= 1
            assert len(places) == side or line[0] or line[-1], "less than all only at a border"


def test_cutout_covers_the_share_of_the_area_that_the_draws_make_of_it():
    """Half a side of 8: starts -2 to 6, of which 2, 3, 4, 4, 4, 4, 4, 3, 2 pixels lie within."""
    torch.manual_seed(0)
    spec = DataSpec((1, 8, 8), (-1.0, 1.0))
    y = DiffAugment(spec, colour=False, translation=0.0)(torch.ones(MANY, 1, 8, 8))
    assert float((y == 0).float().sum((1, 2, 3)).mean()) == pytest.approx((30 / 9) ** 2, rel=0.03)
    hits = (y == 0).float().mean(0)[0]
    torch.testing.assert_close(hits, hits.flip(0), rtol=0, atol=0.05)
    torch.testing.assert_close(hits, hits.flip(1), rtol=0, atol=0.05)


def test_colour_is_the_papers():
    """From y the draws are found: the grey's mean moves by b, its spread by c, that of chroma by c·s."""
    torch.manual_seed(0)
    spec = DataSpec((3, 6, 6), (0.0, 1.0))
    x = images(spec, MANY, torch.float64)
    y = DiffAugment(spec, translation=0.0, cutout=0.0)(x)
    before, after = 2 * x - 1, 2 * y - 1
    b = after.mean((1, 2, 3)) - before.mean((1, 2, 3))
    grey = before.mean(1, keepdim=True), after.mean(1, keepdim=True)
    c = grey[1].std((1, 2, 3)) / grey[0].std((1, 2, 3))
    cs = (after - grey[1]).std((1, 2, 3)) / (before - grey[0]).std((1, 2, 3))
    draws = {"b": (b, -0.5, 0.5), "c": (c, 0.5, 1.5), "s": (cs / c, 0.0, 2.0)}
    for name, (value, low, high) in draws.items():
        share = ((value - low) / (high - low)).sort().values
        assert share[0] > -1e-6, name
        assert share[-1] < 1 + 1e-6, name
        torch.testing.assert_close(share, torch.linspace(0, 1, MANY).double(), rtol=0, atol=0.04)


def test_grey_images_stay_where_they_are_but_for_brightness():
    torch.manual_seed(0)
    spec = DataSpec((1, 8, 8), (-1.0, 1.0))
    y = DiffAugment(spec, translation=0.0, cutout=0.0)(torch.full((MANY, 1, 8, 8), 0.25))
    assert y.amin() >= -0.25
    assert y.amax() <= 0.75
    assert (y.amax((1, 2, 3)) - y.amin((1, 2, 3))).max() < 1e-6


@given(specs, seeds)
@settings(max_examples=10, deadline=None)
def test_diffaugment_without_any_part_is_the_identity(spec, seed):
    torch.manual_seed(seed)
    x = images(spec)
    torch.testing.assert_close(DiffAugment(spec, colour=False, translation=0.0, cutout=0.0)(x), x)


# The maps that ADA is made of.


def one(value: float) -> torch.Tensor:
    return torch.tensor([value])


@pytest.mark.parametrize(
    ("inverse", "expected"),
    [
        (transforms.scaling(one(-1.0), one(1.0)), lambda x: x.flip(3)),
        (transforms.scaling(one(1.0), one(-1.0)), lambda x: x.flip(2)),
        (transforms.rotation(one(-math.pi / 2)), lambda x: x.rot90(-1, (2, 3))),
        (transforms.rotation(one(math.pi / 2)), lambda x: x.rot90(1, (2, 3))),
        (transforms.rotation(one(math.pi)), lambda x: x.rot90(2, (2, 3))),
    ],
)
@pytest.mark.parametrize("side", [7, 8])
def test_exact_maps_move_pixels(inverse, expected, side):
    torch.manual_seed(0)
    x = torch.rand(1, 3, side, side)
    torch.testing.assert_close(transforms.warp(x, inverse), expected(x), rtol=0, atol=1e-5)


@given(st.integers(-30, 30), st.integers(-30, 30))
@settings(deadline=None)
def test_translation_mirrors_at_the_border(right, down):
    """As padding by reflection does, as far out as one likes."""
    x = torch.rand(1, 2, 5, 8)
    rows = torch.nn.functional.pad(torch.arange(5.0)[None], (4, 3), mode="reflect")[0, :8].roll(-4)
    columns = torch.nn.functional.pad(torch.arange(8.0)[None], (7, 6), mode="reflect")[0, :14].roll(-7)
    at_rows = rows[(torch.arange(5) - down) % 8].long()
    at_columns = columns[(torch.arange(8) - right) % 14].long()
    found = transforms.warp(x, transforms.translation(one(-float(right)), one(-float(down))))
    torch.testing.assert_close(found, x[:, :, at_rows][:, :, :, at_columns], rtol=0, atol=1e-5)


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6), st.sampled_from([(5, 5), (4, 9), (1, 6)]))
@settings(deadline=None)
def test_warp_is_a_loop(entries, sides):
    height, width = sides
    x = torch.rand(1, 1, height, width, dtype=torch.float64)
    inverse = torch.tensor([[entries[:3], entries[3:], [0.0, 0.0, 1.0]]], dtype=torch.float64)
    expected = torch.zeros_like(x)
    for row in range(height):
        for column in range(width):
            v, u = row - (height - 1) / 2, column - (width - 1) / 2
            at_column = entries[0] * u + entries[1] * v + entries[2] + (width - 1) / 2
            at_row = entries[3] * u + entries[4] * v + entries[5] + (height - 1) / 2
            for i in range(height):
                for j in range(width):
                    weight = max(0, 1 - abs(mirrored(at_row, height) - i))
                    weight *= max(0, 1 - abs(mirrored(at_column, width) - j))
                    expected[0, 0, row, column] += weight * x[0, 0, i, j]
    torch.testing.assert_close(transforms.warp(x, inverse), expected, rtol=0, atol=1e-9)


def mirrored(place: float, size: int) -> float:
    while size > 1 and not 0 <= place <= size - 1:
        place = -place if place < 0 else 2 * (size - 1) - place
    return place if size > 1 else 0.0


@given(st.floats(-9, 9), st.floats(-9, 9))
def test_composition_is_the_matrix_product(a, b):
    maps = (
        transforms.rotation(one(a)),
        transforms.scaling(one(b), one(2.0)),
        transforms.translation(one(a), one(b)),
    )
    torch.testing.assert_close(transforms.compose(*maps), maps[0] @ maps[1] @ maps[2])


@given(st.floats(-math.pi, math.pi), seeds)
def test_hue_turns_about_the_greys(angle, seed):
    """By Rodrigues' matrix exp(θ[n]×), n the unit vector of greys."""
    torch.manual_seed(seed)
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64)
    n = 1 / math.sqrt(3)
    cross = torch.tensor([[0, -n, n], [n, 0, -n], [-n, n, 0]], dtype=torch.float64)
    expected = torch.einsum("ij,bjhw->bihw", torch.linalg.matrix_exp(angle * cross), x)
    found = transforms.turn_hue(x, torch.full((2,), angle, dtype=torch.float64))
    torch.testing.assert_close(found, expected)


# ADA.


@settings(max_examples=20, deadline=None)
@given(specs, seeds)
def test_at_p_0_ada_is_the_identity(spec, seed):
    torch.manual_seed(seed)
    x = images(spec)
    assert torch.equal(ADA(spec)(x), x)


def test_every_transformation_befalls_each_datum_with_probability_p():
    """Colour makes two draws for one channel; a datum is as it was with (1 - p)²."""
    torch.manual_seed(0)
    spec, p = DataSpec((1, 8, 8), (-1.0, 1.0)), 0.3
    x = images(spec, MANY)
    augmentation = ada(spec, p)
    kept = (augmentation.recoloured(x) == x).flatten(1).all(1).float().mean()
    assert float(kept) == pytest.approx((1 - p) ** 2, abs=0.03)
    # Mirroring with p/2; turning with 3p/4; shifts that round to nothing are those below 1/2 of a pixel in 8.
    still = (1 - p / 2) * (1 - 3 * p / 4) * (1 - p * (1 - 0.5**2)) * (1 - p) ** 3 * (1 - p)
    unmoved = (augmentation.moved(x) == x).flatten(1).all(1).float().mean()
    assert float(unmoved) == pytest.approx(still, abs=0.03)


def test_geometry_is_the_papers():
    """The map's linear part, R·diag(s, 1/s)·R·a·(quarter turn)·(mirror), by its determinant and its SVD."""
    torch.manual_seed(0)
    spec = DataSpec((1, 16, 16), (-1.0, 1.0))
    inverse = ada(spec).inverse(torch.zeros(MANY, 1, 16, 16)).double()
    forward = torch.linalg.inv(inverse)
    linear = forward[:, :2, :2]
    determinant = torch.linalg.det(linear)
    assert float((determinant < 0).double().mean()) == pytest.approx(0.5, abs=0.03)
    sizes = determinant.abs().log2() / 2
    assert float(sizes.mean()) == pytest.approx(0, abs=0.02)
    assert float(sizes.std()) == pytest.approx(0.2, rel=0.05)
    largest, least = torch.linalg.svdvals(linear).T
    stretch = (largest / least).log2() / 2
    assert float(stretch.square().mean().sqrt()) == pytest.approx(0.2, rel=0.05)
    angle = torch.atan2(linear[:, 1, 0], linear[:, 0, 0])
    assert float(angle.cos().mean()) == pytest.approx(0, abs=0.05)
    assert float(angle.sin().mean()) == pytest.approx(0, abs=0.05)


def test_the_last_move_is_an_eighth_of_each_side():
    """Of two moves the first, of (±⅛ uniform, rounded), is turned by any angle; both add up in variance."""
    torch.manual_seed(0)
    spec = DataSpec((1, 64, 64), (-1.0, 1.0))
    moves = torch.linalg.inv(ada(spec).inverse(torch.zeros(MANY, 1, 64, 64)).double())[:, :2, 2]
    # Scales raise the first's mean square by E[2^2N(0, .2²)] for size, and half of that for either stretch.
    scale = math.exp(2 * (0.2 * math.log(2)) ** 2)
    expected = 64**2 * (0.125**2 + 0.125**2 / 3 * scale**2)
    assert float(moves.square().mean()) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("p", [0.19, 0.75])
def test_either_turn_has_probability_p(p):
    torch.manual_seed(0)
    spec = DataSpec((1, 8, 8), (-1.0, 1.0))
    linear = ada(spec, p).inverse(torch.zeros(MANY, 1, 8, 8)).double()[:, :2, :2]
    # Whatever is not turned has its entries on one diagonal.
    straight = torch.minimum(
        linear[:, 0, 1].abs() + linear[:, 1, 0].abs(), linear[:, 0, 0].abs() + linear[:, 1, 1].abs()
    )
    assert float((straight > 1e-5).double().mean()) == pytest.approx(p, abs=0.03)


def test_images_that_are_not_square_are_turned_by_half_turns_alone(monkeypatch):
    torch.manual_seed(0)
    spec = DataSpec((3, 12, 20), (-1.0, 1.0))
    augmentation = ada(spec)
    monkeypatch.setattr(augmentation, "_undo_general", lambda x: [])
    x = images(spec, 400)
    inverse = augmentation.inverse(x)
    assert (inverse[:, 0, 1].abs() + inverse[:, 1, 0].abs()).max() < 1e-5
    assert 100 < (inverse[:, 1, 1] < 0).sum() < 300
    assert inverse[:, 0, 2].abs().max() <= 3  # an eighth of 20, rounded: 2.5 never exceeds 3
    assert inverse[:, 1, 2].abs().max() <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_colour_of_greys(channels):
    """A grey g becomes ±c(g + b): of one channel always +, of three with either sign."""
    torch.manual_seed(0)
    spec = DataSpec((channels, 4, 4), (-1.0, 1.0))
    augmentation = ada(spec)
    dark = augmentation.recoloured(torch.full((MANY, channels, 4, 4), 1e6, dtype=torch.float64))
    ratio = dark.flatten(1) / 1e6
    assert (ratio - ratio[:, :1]).abs().max() < 1e-3
    gain = ratio[:, 0].abs().log2()
    assert float(gain.mean()) == pytest.approx(0, abs=0.04)
    assert float(gain.std()) == pytest.approx(0.5, rel=0.05)
    negative = float((ratio[:, 0] < 0).double().mean())
    assert negative == (0 if channels == 1 else pytest.approx(0.5, abs=0.03))
    middle = augmentation.recoloured(torch.zeros(MANY, channels, 4, 4)).flatten(1)[:, 0]
    # E[b²c²] = 0.2² E[c²], c lognormal.
    expected = 0.2**2 * math.exp(2 * (0.5 * math.log(2)) ** 2)
    assert float(middle.square().mean()) == pytest.approx(expected, rel=0.15)


def test_chroma_is_turned_and_scaled():
    torch.manual_seed(0)
    spec = DataSpec((3, 1, 1), (-1.0, 1.0))
    red = torch.tensor([2.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(MANY, -1, -1, -1)
    y = ada(spec).recoloured(red)[:, :, 0, 0].double()
    chroma = y - y.mean(1, keepdim=True)
    length = (chroma.norm(dim=1) / math.sqrt(6)).log2()
    assert float(length.std()) == pytest.approx(math.hypot(0.5, 1.0), rel=0.05)
    towards = chroma[:, 0] / chroma.norm(dim=1) * math.sqrt(1.5)  # the cosine of the hue's angle
    share = (towards.clamp(-1, 1).acos() / math.pi).sort().values
    torch.testing.assert_close(share, torch.linspace(0, 1, MANY).double(), rtol=0, atol=0.04)


# ADA's probability.

SPEC = DataSpec((1, 8, 8), (-1.0, 1.0))


@given(st.integers(1, 9), st.integers(1, 64), st.integers(64, 5000), st.integers(0, 40), st.booleans())
@settings(deadline=None)
def test_p_moves_by_the_images_seen(every, batch, over, calls, positive):
    augmentation = ada(SPEC, 0.5, every=every, images=over)
    for _ in range(calls):
        augmentation.observe(torch.full((batch,), 3.0 if positive else -3.0))
    moved = (calls // every) * every * batch / over
    expected = min(1.0, 0.5 + moved) if positive else max(0.0, 0.5 - moved)
    assert float(augmentation.p) == pytest.approx(expected, abs=1e-4)


@given(
    st.floats(0.05, 0.95),
    st.lists(st.lists(st.sampled_from([-2.0, 0.5]), min_size=8, max_size=8), max_size=9),
)
@settings(deadline=None)
def test_p_follows_the_mean_sign_since_it_last_moved(target, logits):
    augmentation, expected = ada(SPEC, 0.5, target=target, images=320, every=2), 0.5
    for i, batch in enumerate(logits, start=1):
        augmentation.observe(torch.tensor(batch))
        if i % 2 == 0:
            signs = [math.copysign(1, logit) for two in logits[i - 2 : i] for logit in two]
            mean = sum(signs) / 16
            expected += 16 / 320 * math.copysign(1, mean - target) * (abs(mean - target) > 1e-6)
    if not any(abs(n / 8 - 1 - target) < 1e-3 for n in range(17)):
        assert float(augmentation.p) == pytest.approx(min(1, max(0, expected)), abs=1e-5)


def test_p_starts_at_0_and_stays_within_0_and_1():
    augmentation = ADA(SPEC, images=100)
    assert float(augmentation.p) == 0
    for logit, end in ((-1.0, 0.0), (1.0, 1.0), (-1.0, 0.0)):
        for _ in range(40):
            augmentation.observe(torch.full((16,), logit))
            assert 0 <= float(augmentation.p) <= 1
        assert float(augmentation.p) == end


def test_observing_keeps_no_graph_and_its_place_in_memory():
    augmentation = ADA(SPEC)
    places = {name: state.data_ptr() for name, state in augmentation.named_buffers()}
    for _ in range(5):
        augmentation.observe(torch.ones(16, requires_grad=True))
    assert {name: state.data_ptr() for name, state in augmentation.named_buffers()} == places
    assert not any(state.requires_grad for state in augmentation.buffers())


@given(st.integers(0, 12), st.integers(0, 12))
@settings(deadline=None)
def test_a_state_goes_on_where_it_was(before, after):
    first = ADA(SPEC, images=1000)
    for _ in range(before):
        first.observe(torch.ones(16))
    second = ADA(SPEC, images=1000)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    for _ in range(after):
        first.observe(torch.ones(16))
        second.observe(torch.ones(16))
    assert float(second.p) == float(first.p)
    assert float(second.p) == pytest.approx((before + after) // 4 * 64 / 1000)
