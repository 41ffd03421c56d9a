"""Scores by torch-fidelity: the same as its own, on honest images alone, with weights that are safe."""

import hashlib
import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dalikit import testing
from dalikit.components.metrics.fidelity import FIELDS, Fidelity
from dalikit.errors import UnfitError, UserError
from dalikit.evaluation import fidelity, scorer, scoring
from dalikit.functional.ranges import to_uint8
from dalikit.interfaces import Dataset, DataSpec, Method, TensorSplit
from dalikit.randomness import RandomState

ALL = ("isc", "fid", "kid", "prc")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


class Pictures(Dataset):
    """Random images of one shape."""

    name, preparation = "pictures", "made by the test"

    def __init__(self, *shape, count=120, seed=0):
        self.spec = DataSpec(shape, (-1.0, 1.0))
        rng = torch.Generator().manual_seed(seed)
        self.images = torch.randint(0, 256, (count, *shape), generator=rng, dtype=torch.uint8)

    def split(self, part):
        return TensorSplit(self.images)


class Album(Method):
    """Its samples are the given images, in order, as long as there are some."""

    name = "album"
    spec = DataSpec((1, 28, 28), (-1.0, 1.0))

    def __init__(self, images, low=-1.0, high=1.0):
        super().__init__()
        self.x = torch.nn.Parameter(images.float() / 255 * (high - low) + low)

    def prior(self, n):
        self.at = getattr(self, "at", 0)
        self.at += n
        return torch.arange(self.at - n, self.at) % len(self.x)

    def generate(self, z, y=None):
        return self.x[z]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("scorer") / "s.safetensors"
    torch.manual_seed(0)
    figures = (0.5, 0.5, 9.88, 0.06, 9.88, 0.06)
    made = scorer.DigitScorer(3, 6)
    made.head.weight.data *= 100  # so that classes differ from image to image
    scorer.save(made, scorer.ScorerFacts(3, 6, "made by the test", 0, 1, *figures, 10), path)
    return str(path)


def maker(data, **settings):
    return lambda part="test": Fidelity(data, part, **settings)


def digits(data, weights, count=120, **settings):
    return maker(data, extractor="digits", weights=weights, count=count, **settings)


def refuse(make, method, says):
    """The metric is left out for this reason, and where nothing may be left out, is named."""
    scores, skipped = scoring.score_all({"fidelity": make}, method)
    assert scores == []
    assert re.search(says, skipped["fidelity"]), skipped
    with pytest.raises(UnfitError, match=f"metric 'fidelity': .*{says}") as raised:
        scoring.score_all({"fidelity": make}, method, forgiving=False)
    assert "\n" not in str(raised.value)


def test_a_set_is_at_no_distance_from_itself(weights):
    data = Pictures(1, 28, 28)
    score = scoring.score(digits(data, weights, measures=ALL), Album(data.images))
    assert abs(score.values["fid"]) < 1e-6
    assert score.values["precision"] == score.values["recall"] == 1
    assert score.values["kid_mean"] < 1e-3
    assert set(score.values) == {
        *("isc_mean", "isc_std", "fid", "kid_mean", "kid_std", "precision", "recall", "f_score")
    }


def direct(made, real, folder, extractor, **settings):
    """What torch-fidelity says, called by itself on PNG files of the images."""
    from torch_fidelity import calculate_metrics

    for name, images in (("made", made), ("real", real)):
        (folder / name).mkdir()
        for i, image in enumerate(images):
            pixels = image.permute(1, 2, 0).squeeze(2).numpy()
            Image.fromarray(pixels).save(folder / name / f"{i:05d}.png")
    return calculate_metrics(
        input1=str(folder / "made"),
        input2=str(folder / "real"),
        **dict.fromkeys(ALL, True),
        feature_extractor=extractor,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
        **settings,
    )


def altered(images, count, noise):
    """The first `count` images, a third of them with a little noise and the rest much paler."""
    rng = torch.Generator().manual_seed(3)
    made = 128 + images[:count] // 2
    near = images[: count // 3].int() + torch.randint(
        -noise, noise + 1, images[: count // 3].shape, generator=rng
    )
    made[: count // 3] = near.clamp(0, 255).to(torch.uint8)
    return made


def assert_the_same(score, found):
    for ours, theirs in FIELDS.items():
        assert score.values[ours] == pytest.approx(found[theirs], abs=1e-6), ours
    assert score.values["fid"] > 1e-4
    assert score.values["isc_mean"] > 1.001
    assert 0 < score.values["precision"] < 1


def test_it_equals_torch_fidelity_on_png_files_of_the_same_images(weights, tmp_path):
    data = Pictures(1, 28, 28)
    made = altered(data.images, 90, 20)
    score = scoring.score(digits(data, weights, count=90, measures=ALL, splits=3), Album(made))
    extractor = fidelity.digits(Path(weights))
    found = direct(
        made, data.images, tmp_path, extractor.name, **extractor.handed(), isc_splits=3, kid_subset_size=90
    )
    assert_the_same(score, found)


def neighbourly(images, others):
    """The share of `others` no further from an image than its third neighbour; Kynkäänniemi et al. 2019."""
    radii = torch.cdist(images, images).kthvalue(4, 1).values  # the nearest is the image itself
    return float((torch.cdist(others, images) <= radii).any(1).double().mean())


def test_precision_and_recall_are_of_our_features_and_not_of_vgg(weights, monkeypatch):
    import torch_fidelity.feature_extractor_vgg16 as theirs

    def refuse(*_, **__):
        raise AssertionError("VGG was asked for")

    monkeypatch.setattr(theirs.FeatureExtractorVGG16, "__init__", refuse)
    data = Pictures(1, 28, 28)
    made = altered(data.images, 90, 20)
    score = scoring.score(digits(data, weights, count=90, measures=("prc",)), Album(made))
    model, _ = scorer.load(Path(weights))
    of_real, of_made = (model(images)[0].double() for images in (data.images, made))
    assert score.values["precision"] == pytest.approx(neighbourly(of_real, of_made), abs=1e-6)
    assert score.values["recall"] == pytest.approx(neighbourly(of_made, of_real), abs=1e-6)
    assert 0 < score.values["precision"] < 1


def test_the_protocol_is_complete(weights):
    data = Pictures(1, 28, 28)
    protocol = scoring.score(digits(data, weights, splits=4), Album(data.images), "train").protocol
    assert protocol["library"].startswith("torch-fidelity 0.")
    assert protocol["weights_sha256"] == sha256(weights)
    assert (protocol["reference_part"], protocol["reference_count"]) == ("train", 120)
    assert (protocol["samples"], protocol["splits"], protocol["extractor"]) == (120, 4, "digits")
    assert protocol["resolution"] == [1, 28, 28]
    assert "[-1, 1]" in protocol["pixels"]
    assert (protocol["mode"], protocol["seed"]) == ("eval", 0)
    assert protocol["isc_of_real_test_images"] == "9.880 ± 0.060"


def test_only_what_was_asked_for(weights):
    data = Pictures(1, 28, 28)
    score = scoring.score(digits(data, weights, measures=("isc",)), Album(data.images))
    assert set(score.values) == {"isc_mean", "isc_std"}
    assert "reference_part" not in score.protocol


def test_it_is_a_metric_and_leaves_random_state_alone(weights):
    data = Pictures(3, 28, 28)
    data.images = data.images[:, :1].expand(-1, 3, -1, -1).contiguous()
    album = Album(data.images)
    testing.check_metric(digits(data, weights), album)
    torch.manual_seed(3)
    before = RandomState.captured()
    scoring.score(digits(data, weights), album)
    after = RandomState.captured()
    assert before.python == after.python
    assert all(torch.equal(before.tensors[k], after.tensors[k]) for k in before.tensors)


def test_the_extractor_is_in_eval_mode_and_deterministic(weights):
    from torch_fidelity.utils import create_feature_extractor

    for _ in range(2):  # a second use registers nothing twice
        extractor = fidelity.digits(Path(weights))
    made = create_feature_extractor(
        extractor.name, ["logits", "features"], cuda=False, verbose=False, **extractor.handed()
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
    data.spec = DataSpec((1, 28, 28), value_range)
    levels = torch.arange(256).to(torch.uint8)
    assert torch.equal(to_uint8(data.scale(levels), value_range), levels)


@pytest.mark.parametrize(("low", "high"), [(-2.0, 2.0), (0.0, 255.0), (float("nan"), 1.0)])
def test_a_wrong_range_is_refused(weights, low, high):
    data = Pictures(1, 28, 28)
    with pytest.raises(UserError, match=r"outside \[-1, 1\]"):
        scoring.score(digits(data, weights), Album(data.images, low, high))


def test_uint8_and_other_shapes_are_refused(weights):
    metric = digits(Pictures(1, 28, 28), weights)()
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


def test_a_data_set_that_leaves_its_range_is_refused_and_not_rescaled(weights):
    data = Pictures(1, 28, 28)
    data.images = data.images.float()  # 0 to 255, though value_range says -1 to 1
    with pytest.raises(UserError, match=r"outside \[-1, 1\]: a wrong range is never rescaled"):
        scoring.score(digits(data, weights), Album(Pictures(1, 28, 28).images))


def test_coloured_digits_are_not_averaged(weights):
    data = Pictures(3, 28, 28)
    assert "stacked-modes" in digits(data, weights)().unfit(Album(data.images))


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


def test_the_command_says_so_too_and_leaves_nothing_behind(cli, tmp_path, monkeypatch):
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    def files():
        return {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}

    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8))
    run = tmp_path / "run"
    options = ["--dataset", "arrays", "--set", f"dataset.path={tmp_path / 'x.npy'}", "--backbone", "mlp"]
    done = cli("train", *options, "--steps", 2, "--out", run)
    assert done.returncode == 0, done.stderr
    name = theirs.URL_INCEPTION_V3.rsplit("/", 1)[1]
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(theirs, "URL_INCEPTION_V3", f"{(tmp_path / 'nowhere').as_uri()}/{name}")
    before = files()
    done = cli("evaluate", run, "--metric", "fidelity", "--set", "metrics.fidelity.count=20")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    for part in ("weights are missing", name, str(tmp_path / "hub"), "metrics.fidelity.weights=FILE"):
        assert part in done.stderr
    assert files() == before


def test_a_download_with_a_wrong_sum_is_not_kept(tmp_path, monkeypatch):
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    name = theirs.URL_INCEPTION_V3.rsplit("/", 1)[1]
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / name).write_bytes(b"half of it")
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    monkeypatch.setattr(theirs, "URL_INCEPTION_V3", (tmp_path / "web" / name).as_uri())
    with pytest.raises(UserError, match="cannot be downloaded"):
        fidelity.inception()
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("tail", [b"", b"a\n", b"\x00" * 9])
def test_garbage_is_refused_in_one_line_whatever_it_begins_with(tmp_path, tail):
    path = tmp_path / "inception.pth"
    for first in range(256):
        path.write_bytes(bytes([first]) + tail)
        with pytest.raises(UserError, match=r"is no file of weights|holds no state dict") as raised:
            fidelity.inception(path)
        assert "\n" not in str(raised.value)


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
    make = maker(data, weights=str(path), count=20)
    reason = make().unfit(Album(data.images))
    assert str(path) in reason
    assert "\n" not in reason
    assert not reason.endswith(tuple("0123456789"))  # the byte on which the unpickler stopped
    refuse(make, Album(data.images), re.escape(str(path)))


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    """A file of weights for torch-fidelity's Inception: random, for the real ones are not at hand.

    Drawn as He et al. 2015 do, so that features differ from image to image.
    """
    import torch_fidelity.feature_extractor_inceptionv3 as theirs

    path, network = tmp_path_factory.mktemp("inception") / "random.pth", theirs.FeatureExtractorInceptionV3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(network, "load_state_dict", lambda *_: None)
        made = network("any", ["2048"])
    rng = torch.Generator().manual_seed(0)
    for module in made.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
    made.fc.weight.data *= 30  # so that classes differ too
    torch.save(made.state_dict(), path)
    return str(path)


def test_with_inception_it_equals_torch_fidelity_on_png_files_too(inception, tmp_path):
    data = Pictures(3, 32, 32, count=12)
    made = altered(data.images, 9, 5)
    metric = maker(data, weights=inception, count=9, splits=2, measures=ALL)
    score = scoring.score(metric, Album(made))
    assert_the_same(
        score,
        direct(
            made,
            data.images,
            tmp_path,
            "inception-v3-compat",
            feature_extractor_weights_path=inception,
            isc_splits=2,
            kid_subset_size=9,
        ),
    )
    assert score.protocol["extractor"] == "inception"
    assert score.protocol["weights_sha256"] == sha256(inception)


def test_with_inception_a_set_is_at_no_distance_from_itself(inception):
    data = Pictures(3, 32, 32, count=12)
    metric = maker(data, weights=inception, count=12, measures=("fid",))
    assert abs(scoring.score(metric, Album(data.images)).values["fid"]) < 1e-6


def test_inception_is_in_eval_mode_and_deterministic(inception):
    from torch_fidelity.utils import create_feature_extractor

    extractor, layers = fidelity.inception(Path(inception)), ["2048", "logits_unbiased"]
    made = create_feature_extractor(extractor.name, layers, cuda=False, verbose=False, **extractor.handed())
    assert not any(module.training for module in made.modules())
    images = Pictures(3, 32, 32, count=3).images
    first, second = made(images), made(images)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert torch.allclose(first[0][:1], made(images[:1])[0], atol=1e-4)  # nothing depends on the batch


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_scorers_file_is_never_executed_either(tmp_path, how):
    path = tmp_path / "s.safetensors"
    if how == "torch":
        torch.save({"head.weight": Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb()))
    data = Pictures(1, 28, 28)
    with pytest.raises(UserError, match="cannot be used as a digit scorer"):
        digits(data, str(path))()._loaded  # noqa: B018 - what `compute` reads, even if `unfit` was not asked
    refuse(digits(data, str(path)), Album(data.images), "cannot be used as a digit scorer")


class Trace:
    """Leaves a file where it is unpickled by what runs its code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@torch.no_grad()
def measured(metric, album):
    for batch in metric.feed(album):
        metric.update(*batch)
    return metric.compute()


@pytest.mark.parametrize("extractor", ["inception", "digits"])
def test_a_file_exchanged_between_check_and_use_is_not_read_again(extractor, inception, weights, tmp_path):
    shape = {"inception": (3, 32, 32), "digits": (1, 28, 28)}[extractor]
    path, trace, data = tmp_path / "w", tmp_path / "trace", Pictures(*shape, count=12)
    path.write_bytes(Path({"inception": inception, "digits": weights}[extractor]).read_bytes())
    sound = sha256(path)
    make = maker(data, extractor=extractor, weights=str(path), count=12, splits=2, measures=("isc",))
    expected, metric = measured(make(), Album(data.images)), make()
    assert metric.unfit(Album(data.images)) is None
    torch.save({"fc.weight": Trace(trace)}, path)
    score = measured(metric, Album(data.images))
    assert score == expected
    assert score.protocol["weights_sha256"] == sound
    assert str(path) in make().unfit(Album(data.images))  # whoever reads it now is told
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # so the trap would have shown


def test_a_file_too_large_for_weights_is_not_read_whole(tmp_path):
    path = tmp_path / "inception.pth"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(UserError, match="1,073,741,825 bytes"):
        fidelity.inception(path)


def test_compressed_weights_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    """torch would unpack them to whatever size they have: some megabytes become gigabytes."""
    path, plain = tmp_path / "inception.pth", io.BytesIO()
    torch.save({"fc.weight": torch.zeros(3, 3)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for info in source.infolist():
            packed.writestr(info.filename, source.read(info.filename))
    assert torch.load(path, weights_only=True)["fc.weight"].shape == (3, 3), "torch reads such files"
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(UserError, match="it is compressed, as torch's own are not"):
        fidelity.inception(path)


def test_weights_of_another_network_are_refused(tmp_path):
    path = tmp_path / "inception.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, path)
    data = Pictures(3, 32, 32, count=20)
    with pytest.raises(UserError, match="other weights than"):
        scoring.score(maker(data, weights=str(path), count=20), Album(data.images))
