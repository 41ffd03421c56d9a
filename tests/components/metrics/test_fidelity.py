"""Scores by torch-fidelity: the same as its own, on honest images alone, with weights that are safe."""

import pickle
from pathlib import Path

import pytest
import torch
from PIL import Image

from dalikit import evaluation, scorer, testing
from dalikit.components.metrics import fidelity
from dalikit.components.metrics.fidelity import Fidelity
from dalikit.errors import UnfitError, UserError
from dalikit.functional.ranges import to_uint8
from dalikit.interfaces import Dataset, TensorSplit
from dalikit.randomness import RandomState

ALL = ("isc", "fid", "kid", "prc")


class Pictures(Dataset):
    """Random images of one shape."""

    name, value_range, preparation = "pictures", (-1.0, 1.0), "made by the test"

    def __init__(self, *shape, count=120, seed=0):
        self.x_shape = shape
        rng = torch.Generator().manual_seed(seed)
        self.images = torch.randint(0, 256, (count, *shape), generator=rng, dtype=torch.uint8)

    def split(self, part):
        return TensorSplit(self.images)


class Album(torch.nn.Module):
    """Its samples are the given images, in order, as long as there are some."""

    name, infers = "album", False

    def __init__(self, images, low=-1.0, high=1.0):
        super().__init__()
        self.x = torch.nn.Parameter(images.float() / 255 * (high - low) + low)

    def prior(self, n):
        self.at = getattr(self, "at", 0)
        self.at += n
        return torch.arange(self.at - n, self.at) % len(self.x)

    def generate(self, z):
        return self.x[z]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("scorer") / "s.safetensors"
    torch.manual_seed(0)
    figures = (0.5, 0.5, 9.88, 0.06, 9.88, 0.06)
    scorer.save(scorer.DigitScorer(3, 6), scorer.Facts(3, 6, "made by the test", 0, 1, *figures, 10), path)
    return str(path)


def digits(data, weights, count=120, **settings):
    return Fidelity(data, extractor="digits", weights=weights, count=count, **settings)


def test_a_set_is_at_no_distance_from_itself(weights):
    data = Pictures(1, 28, 28)
    score = evaluation.score(digits(data, weights, measures=ALL), Album(data.images))
    assert abs(score.values["fid"]) < 1e-6
    assert score.values["precision"] == score.values["recall"] == 1
    assert score.values["kid_mean"] < 1e-3
    assert set(score.values) == {
        *("isc_mean", "isc_std", "fid", "kid_mean", "kid_std", "precision", "recall", "f_score")
    }


def write(images, folder):
    folder.mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image[0].numpy()).save(folder / f"{i:05d}.png")


def test_it_equals_torch_fidelity_on_png_files_of_the_same_images(weights, tmp_path):
    from torch_fidelity import calculate_metrics

    data, made = Pictures(1, 28, 28), Pictures(1, 28, 28, count=90, seed=1).images // 2
    score = evaluation.score(digits(data, weights, count=90, measures=ALL, splits=3), Album(made))
    write(made, tmp_path / "made")
    write(data.images, tmp_path / "real")
    direct = calculate_metrics(
        input1=str(tmp_path / "made"),
        input2=str(tmp_path / "real"),
        **dict.fromkeys(ALL, True),
        feature_extractor=fidelity.digits_extractor(),
        feature_extractor_weights_path=weights,
        isc_splits=3,
        kid_subset_size=90,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    for ours, theirs in fidelity.FIELDS.items():
        assert score.values[ours] == pytest.approx(direct[theirs], abs=1e-6), ours
    assert score.values["fid"] > 1e-4


def test_the_protocol_is_complete(weights):
    data = Pictures(1, 28, 28)
    protocol = evaluation.score(digits(data, weights, splits=4), Album(data.images), "train").protocol
    assert protocol["library"].startswith("torch-fidelity 0.")
    assert protocol["weights_sha256"] == scorer.digest(Path(weights))
    assert (protocol["reference_part"], protocol["reference_count"]) == ("train", 120)
    assert (protocol["samples"], protocol["splits"], protocol["extractor"]) == (120, 4, "digits")
    assert protocol["resolution"] == [1, 28, 28]
    assert "[-1, 1]" in protocol["pixels"]
    assert "eval mode" in protocol["model"]
    assert protocol["isc_of_real_test_images"] == "9.880 ± 0.060"


def test_only_what_was_asked_for(weights):
    data = Pictures(1, 28, 28)
    score = evaluation.score(digits(data, weights, measures=("isc",)), Album(data.images))
    assert set(score.values) == {"isc_mean", "isc_std"}
    assert "reference_part" not in score.protocol


def test_it_is_a_metric_and_leaves_random_state_alone(weights):
    data = Pictures(3, 28, 28)
    data.images = data.images[:, :1].expand(-1, 3, -1, -1).contiguous()
    album = Album(data.images)
    testing.check_metric(lambda: digits(data, weights), album)
    torch.manual_seed(3)
    before = RandomState.captured()
    evaluation.score(digits(data, weights), album)
    after = RandomState.captured()
    assert before.python == after.python
    assert all(torch.equal(before.tensors[k], after.tensors[k]) for k in before.tensors)


def test_the_extractor_is_in_eval_mode_and_deterministic(weights):
    from torch_fidelity.utils import create_feature_extractor

    for _ in range(2):  # a second use registers nothing twice
        name = fidelity.digits_extractor()
    made = create_feature_extractor(
        name, ["logits", "features"], cuda=False, verbose=False, feature_extractor_weights_path=weights
    )
    assert not any(module.training for module in made.modules())
    images = Pictures(1, 28, 28, count=9).images
    first, second = made(images), made(images)
    assert [t.shape[1] for t in first] == [10, 6]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.equal(first[0], made(images.expand(-1, 3, -1, -1))[0])


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-3.0, 5.0)])
def test_every_grey_level_comes_back_as_it_was(value_range):
    data = Pictures(1, 28, 28)
    data.value_range = value_range
    levels = torch.arange(256).to(torch.uint8)
    assert torch.equal(to_uint8(data.scale(levels), value_range), levels)


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (0.0, 255.0), (float("nan"), 1.0)])
def test_a_wrong_range_is_refused(weights, low, high):
    data = Pictures(1, 28, 28)
    with pytest.raises(UserError, match=r"outside \[-1, 1\]"):
        evaluation.score(digits(data, weights), Album(data.images, low, high))


def test_uint8_and_other_shapes_are_refused(weights):
    metric = digits(Pictures(1, 28, 28), weights)
    with pytest.raises(UserError, match=r"torch.uint8; floats in \[-1, 1\]"):
        metric.update(torch.zeros(2, 1, 28, 28, dtype=torch.uint8))
    with pytest.raises(UserError, match="shape"):
        metric.update(torch.zeros(2, 3, 28, 28))


@pytest.mark.parametrize(
    ("shape", "extractor", "says"),
    [
        ((1, 28, 28), "inception", "Inception reads colour"),
        ((3, 32, 32), "digits", "28×28"),
        ((2,), "inception", "no images"),
    ],
)
def test_images_that_the_extractor_does_not_read_are_refused(shape, extractor, says):
    with pytest.raises(UnfitError, match=says) as raised:
        Fidelity(Pictures(*shape), extractor=extractor)
    assert "\n" not in str(raised.value)


def test_coloured_digits_are_not_averaged(weights):
    data = Pictures(3, 28, 28)
    assert "stacked-modes" in digits(data, weights).unfit(Album(data.images))


def test_more_splits_than_samples():
    with pytest.raises(UserError, match="count 5 is less"):
        Fidelity(Pictures(3, 32, 32), count=5)


def test_without_inceptions_weights_one_line_says_what_to_do(tmp_path, monkeypatch):
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    name = theirs.URL_INCEPTION_V3.rsplit("/", 1)[1]
    monkeypatch.setattr(theirs, "URL_INCEPTION_V3", f"{(tmp_path / 'nowhere').as_uri()}/{name}")
    data = Pictures(3, 32, 32)
    reason = Fidelity(data, count=20).unfit(Album(data.images))
    assert "\n" not in reason
    for part in (name, str(tmp_path / "hub" / "checkpoints"), "metrics.fidelity.weights=FILE"):
        assert part in reason
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_download_with_a_wrong_sum_is_not_kept(tmp_path, monkeypatch):
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    name = theirs.URL_INCEPTION_V3.rsplit("/", 1)[1]
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / name).write_bytes(b"half of it")
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(theirs, "URL_INCEPTION_V3", (tmp_path / "web" / name).as_uri())
    with pytest.raises(UserError, match="cannot be downloaded"):
        fidelity.inception_weights()
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("how", ["torch", "pickle", "text", "list", "missing"])
def test_a_weights_file_that_is_not_one_is_refused_and_never_executed(tmp_path, how):
    path = tmp_path / "inception.pth"
    if how == "torch":
        torch.save({"fc.weight": Bomb()}, path)
    elif how == "pickle":
        path.write_bytes(pickle.dumps(Bomb()))
    elif how == "text":
        path.write_text("nothing")
    elif how == "list":
        torch.save([torch.zeros(1)], path)
    data = Pictures(3, 32, 32)
    metric = Fidelity(data, weights=str(path), count=20)
    reason = metric.unfit(Album(data.images))
    assert str(path) in reason
    assert "\n" not in reason
    with pytest.raises(UnfitError, match="metric 'fidelity': "):
        evaluation.score(metric, Album(data.images))


def test_inception_reads_a_file_that_the_user_names(tmp_path, monkeypatch):
    import torch_fidelity.feature_extractor_inceptionv3 as theirs
    from torch_fidelity import calculate_metrics

    path, network = tmp_path / "inception.pth", theirs.FeatureExtractorInceptionV3
    with monkeypatch.context() as patch:  # a network with random weights, for the real ones are not at hand
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        torch.save(network("any", ["2048"]).state_dict(), path)
    data = Pictures(3, 32, 32, count=6)
    (tmp_path / "made").mkdir()
    for i, image in enumerate(data.images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "made" / f"{i}.png")
    metric = Fidelity(data, weights=str(path), count=6, splits=2, measures=("isc",))
    score = evaluation.score(metric, Album(data.images))
    direct = calculate_metrics(
        input1=str(tmp_path / "made"),
        isc=True,
        isc_splits=2,
        feature_extractor_weights_path=str(path),
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    assert score.values["isc_mean"] == pytest.approx(direct["inception_score_mean"], abs=1e-6)
    assert score.protocol["extractor"] == "inception"
    assert score.protocol["weights_sha256"] == scorer.digest(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "inception.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, path)
    data = Pictures(3, 32, 32, count=20)
    with pytest.raises(UserError, match="other weights than"):
        evaluation.score(Fidelity(data, weights=str(path), count=20), Album(data.images))
