"""What is exported computes what the model does, on every backbone, and says how it is called."""

import copy
import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from players import small
from safetensors.torch import load_file
from torch import nn

import dalikit
from dalikit.assembly import build, resolve
from dalikit.assembly.registry import Registry
from dalikit.components.methods.avb import AVB
from dalikit.components.methods.gan import PlainGAN
from dalikit.data.inputs import Inputs
from dalikit.errors import RunError, UserError
from dalikit.exporting import export, onnx, rebuild, snippets, torch_export, writing
from dalikit.exporting.facts import FACTS, ExportFacts
from dalikit.exporting.onnx import ONNX
from dalikit.exporting.parts import Part, part_of
from dalikit.exporting.safetensors import SAFETENSORS
from dalikit.exporting.torch_export import TORCH_EXPORT
from dalikit.exporting.tracing import trace
from dalikit.functional.fitting import Fitting
from dalikit.interfaces import DataSpec, Method

REGISTRY = Registry.discover()
TOLERANCE = 1e-4
ROOT = Path(__file__).parents[1]


def made(backbone: str, method: str, **params):
    """An untrained method on 8×8 digits, of tiny widths, whose batch norms have seen some data."""
    small = {kind: {"width": 4} for kind in ("generator", "discriminator", "encoder")}
    small["generator"]["latent_size"] = 3
    layer = {"dataset": "digits", "backbone": backbone, "method": {"name": method, **params}, **small}
    config = resolve.resolve_layers([{**layer, "trainer": {"steps": 1}}], REGISTRY)
    found = build.make_method(config, build.make_dataset(config, REGISTRY).spec, REGISTRY)
    labels = torch.arange(40) % 10 if found.conditional else None
    with torch.no_grad():
        found.train().generate(torch.randn(40, 3), labels)
    return found.eval()


@pytest.fixture
def traced_once(monkeypatch):
    """The formats that are made from a graph share it: tracing takes a third of a test's time."""
    once = cache(trace)
    for module in (onnx, torch_export):
        monkeypatch.setattr(module, "trace", once)


class Together(Part):
    """Parts of several methods as one: starting the exporters takes longer than what they do."""

    name = "both"
    reads = "x"

    def __init__(self, parts: dict[str, Part]) -> None:
        super().__init__(next(iter(parts.values())).method)
        self.parts = nn.ModuleDict(parts)
        ports = [(method, port) for method, part in parts.items() for port in part.outputs]
        self.outputs = tuple(replace(port, name=f"{method}_{port.name}") for method, port in ports)

    def gives(self):
        return ()

    def forward(self, x):
        found = {method: part(x) for method, part in self.parts.items()}
        return {f"{method}_{name}": tensor for method, each in found.items() for name, tensor in each.items()}


def expected_of(models: dict[str, Method], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What the methods themselves make of x: q(z|x), its code, and what dali generates from that."""
    found = {}
    for name, model in models.items():
        posterior = model.posterior(x)
        found |= {f"{name}_code": model.code(x), f"{name}_mean": posterior.mean}
        found[f"{name}_stddev"] = posterior.stddev
        if name == "dali":  # a backbone's generator is the same in all of them
            found[f"{name}_reconstruction"] = model.generate(model.code(x))
    return found


@pytest.mark.parametrize("backbone", REGISTRY.names("backbone"))
@torch.no_grad()
def test_every_backbone_is_exported_as_it_computes(backbone, tmp_path, traced_once):
    """With dali, ali and vae, on a batch of 1 and of 5, by name and by value, spectral norm included."""
    torch.manual_seed(0)
    models = {method: made(backbone, method) for method in ("dali", "ali", "vae")}
    parts = {name: part_of(model, "both" if name == "dali" else "encoder") for name, model in models.items()}
    part = Together(parts)
    for kind in (ONNX, TORCH_EXPORT):
        kind.save(part, tmp_path)
    runs = [kind.load(tmp_path, "both") for kind in (ONNX, TORCH_EXPORT)]
    for n in (1, 5):
        x = 2 * torch.rand(n, 1, 8, 8) - 1
        expected = expected_of(models, x)
        for run in runs:
            found = run(x)
            assert list(found) == list(expected)
            for output, tensor in expected.items():
                torch.testing.assert_close(found[output], tensor, atol=TOLERANCE, rtol=0)


def axes(path: Path) -> dict[str, str]:
    """What the first axis of each input of an ONNX file is called."""
    inputs = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).get_inputs()
    return {port.name: port.shape[0] for port in inputs}


@torch.no_grad()
def test_a_conditional_method_takes_labels_second(tmp_path):
    model = made("mlp", "dali", conditional=True)
    part = part_of(model, "both")
    assert [port.name for port in part.inputs] == ["x", "label"]
    ONNX.save(part, tmp_path)
    run = ONNX.load(tmp_path, "both")
    x, y = 2 * torch.rand(4, 1, 8, 8) - 1, torch.tensor([0, 9, 3, 3])
    again = run(x, y)["reconstruction"]
    torch.testing.assert_close(again, model.generate(model.code(x, y), y), atol=TOLERANCE, rtol=0)
    other = run(x, (y + 1) % 10)["reconstruction"]
    assert float((other - again).abs().max()) > 1e-3
    assert axes(tmp_path / "both.onnx") == {"x": "batch", "label": "batch"}


def test_moments_that_are_estimates_of_draws_are_left_out():
    outputs = {cls: [port.name for port in part_of(small(cls).eval(), "encoder").outputs] for cls in (AVB,)}
    assert outputs == {AVB: ["code"]}


def test_a_method_that_draws_its_code_is_refused():
    class Drawn(AVB):
        def code(self, x, y=None):
            return self.posterior(x, y).rsample()

    with pytest.raises(UserError, match="draws its code, so that no two calls are alike"):
        part_of(small(Drawn).eval(), "both")


def test_a_method_without_an_encoder_has_a_generator_alone():
    method = small(PlainGAN).eval()
    assert part_of(method, "generator").outputs[0].shape == (2,)
    with pytest.raises(UserError, match="'gan' has no encoder"):
        part_of(method, "encoder")


def test_a_part_holds_what_it_computes_with_and_leaves_its_method_alone():
    method = made("dcgan", "dali")
    before = copy.deepcopy(method.state_dict())
    state = torch.get_rng_state()
    names = {
        name: set(part_of(method, name).method.state_dict()) for name in ("generator", "encoder", "both")
    }
    assert {name.partition(".")[0] for name in names["generator"]} == {"generator"}
    assert {name.partition(".")[0] for name in names["encoder"]} == {"discriminator", "encoder"}
    assert not [name for name in names["encoder"] if name.startswith("discriminator.head")]
    assert names["both"] == names["generator"] | names["encoder"]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in method.state_dict().items())
    assert set(before) == set(method.state_dict())


class Signed(nn.Module):
    """What ONNX has no operator for; the bound on log σ² was made of it once."""

    def forward(self, h):
        return torch.copysign(h, h + 1)


class Branching(nn.Module):
    """What a graph cannot hold: which way it goes depends on a number."""

    def forward(self, h):
        return h if h.sum() > 0 else -h


class Counting(nn.Module):
    """What fixes the batch: Python's length of a tensor is a number."""

    def forward(self, h):
        return h.reshape(len(h), -1)


@pytest.mark.parametrize(("last", "hint"), [(Branching, ""), (Counting, r"; len\(x\) fixes the batch")])
def test_what_torch_cannot_trace_is_said_in_a_line(last, hint):
    method = made("mlp", "dali")
    method.generator.net.append(last())
    with pytest.raises(
        RunError, match=rf"'generator' of method 'dali' cannot be exported by .*{hint}"
    ) as raised:
        trace(part_of(method, "generator"))
    assert "\n" not in str(raised.value)


def test_what_onnx_has_no_operator_for_is_said_in_a_line(tmp_path):
    method = made("mlp", "dali")
    method.generator.net.append(Signed())
    with pytest.raises(
        RunError, match="'generator' of method 'dali' cannot be exported by ONNX: Conv"
    ) as raised:
        ONNX.save(part_of(method, "generator"), tmp_path)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def model(trained):
    return dalikit.load(trained)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """An export of a run in each format; of all parts where that is quick."""
    folder, some = tmp_path_factory.mktemp("exported"), ["generator", "both"]
    found = [export(model, folder / name, name, some) for name in ("onnx", "torch-export")]
    assert all(list(off) == some for off in found)
    found.append(export(model, folder / "safetensors", "safetensors"))
    assert list(found[-1]) == ["generator", "encoder", "both"]
    assert max(max(off.values()) for off in found) <= TOLERANCE
    return folder


def code_of(folder: Path) -> str:
    return "\n".join(re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL))


@pytest.mark.parametrize("name", list(writing.FORMATS))
def test_the_code_in_the_readme_runs(name, model, exported, tmp_path, monkeypatch):
    folder = tmp_path / "moved"
    folder.mkdir()
    for path in (exported / name).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    pixels = np.random.default_rng(3).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    monkeypatch.chdir(folder)
    space: dict = {}
    exec(code_of(folder), space)
    x = model.inputs.prepare(folder / "picture.png").whole()
    np.testing.assert_allclose(space["x"], x, atol=1e-6)
    np.testing.assert_allclose(space["reconstruction"], model.reconstruct(x), atol=TOLERANCE)
    z = torch.from_numpy(space["z"])
    again = np.asarray(Image.open("generator.png"), dtype=np.float32)
    np.testing.assert_allclose(again, (model.generate(z)[0, 0] + 1) * 127.5, atol=0.51)


def test_the_readme_says_what_goes_in_and_comes_out(model, exported):
    text = (exported / "onnx" / "README.md").read_text()
    for row in ("| `z` | (B, 4) | float32 |", "| `x` | (B, 1, 8, 8) | float32 |", "| `code` | (B, 4) |"):
        assert row in text
    for lines in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):  # a bar in a cell would start another
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines.splitlines()}) == 1, lines
    assert "lie in [-1, 1]" in text
    assert model.run.identity in text
    facts = ExportFacts.read(exported / "onnx")
    assert (facts.run, facts.step, facts.data.x_shape) == (model.run.identity, 30, (1, 8, 8))
    assert [port.name for port in facts.parts["both"].outputs] == ["code", "mean", "stddev", "reconstruction"]


def test_files_name_no_place_of_this_machine(model, exported):
    for path in exported.glob("*/*"):
        content = path.read_bytes()
        assert str(ROOT).encode() not in content, path
        assert str(model.run.path).encode() not in content, path
        assert sys.prefix.encode() not in content, path


def test_what_differs_is_not_written(model, tmp_path, monkeypatch):
    out = tmp_path / "out"
    export(model, out, "safetensors", ["generator"])
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def off(folder, name):
        right = rebuild(folder, name)
        return lambda *given: {key: tensor + 2e-4 for key, tensor in right(*given).items()}

    monkeypatch.setitem(writing.FORMATS, "safetensors", replace(SAFETENSORS, load=off))
    for folder in (out, tmp_path / "other"):
        with pytest.raises(RunError, match=r"differs by 0.0002 from the model, where 0.0001 is allowed"):
            export(model, folder, "safetensors", ["generator"])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "wrong", [{"x": torch.full((1, 1, 8, 8), torch.nan)}, {"x": torch.zeros(1, 8, 8)}, {"y": torch.zeros(1)}]
)
def test_nan_and_other_shapes_are_differences(model, tmp_path, monkeypatch, wrong):
    bad = replace(SAFETENSORS, load=lambda folder, name: lambda z: wrong)
    monkeypatch.setitem(writing.FORMATS, "safetensors", bad)
    with pytest.raises(RunError, match="nothing was written"):
        export(model, tmp_path / "out", "safetensors", ["generator"])


def test_a_folder_with_anything_else_in_it_is_never_replaced(model, tmp_path):
    export(model, tmp_path / "out", "safetensors", ["encoder"])
    export(model, tmp_path / "out", "safetensors", ["generator"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        FACTS,
        "generator.safetensors",
    ]
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.txt, which is no export's"):
        export(model, tmp_path / "out", "safetensors")
    with pytest.raises(UserError, match="is a file"):
        export(model, tmp_path / "out" / "notes.txt", "safetensors")
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_rebuilt_part_is_a_module_with_the_runs_weights(model, exported):
    tensors = load_file(exported / "safetensors" / "generator.safetensors")
    own = {name: tensor for name, tensor in model.method.state_dict().items() if name in tensors}
    assert own.keys() == tensors.keys()
    assert all(torch.equal(own[name], tensors[name]) for name in own)
    generator = rebuild(exported / "safetensors", "generator")
    z = torch.randn(3, 4)
    torch.testing.assert_close(generator(z)["x"], model.generate(z))


def test_what_cannot_be_rebuilt_is_said_in_a_line(exported, tmp_path):
    with pytest.raises(UserError, match=r"is no export: export\.json: No such file"):
        rebuild(tmp_path, "generator")
    for path in (exported / "safetensors").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="holds no critic: it has generator, encoder, both"):
        rebuild(tmp_path, "critic")
    (tmp_path / "generator.safetensors").write_bytes((tmp_path / "encoder.safetensors").read_bytes())
    with pytest.raises(UserError, match=r"generator\.safetensors is damaged: .* is missing"):
        rebuild(tmp_path, "generator")
    (tmp_path / "generator.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"generator\.safetensors is damaged"):
        rebuild(tmp_path, "generator")
    (tmp_path / "generator.safetensors").unlink()
    with pytest.raises(UserError, match=r"generator\.safetensors cannot be read: No such file"):
        rebuild(tmp_path, "generator")
    text = (tmp_path / FACTS).read_text()
    (tmp_path / FACTS).write_text(
        text.replace('"name": "diag"', '"name": "flow"').replace('"dalikit"', '"far"')
    )
    with pytest.raises(UserError, match=r"needs posterior 'flow' of far 0\.1\.0, which is not installed"):
        rebuild(tmp_path, "generator")
    (tmp_path / FACTS).write_text("{}")
    with pytest.raises(UserError, match=r"is no export: export\.json: format: Field required"):
        rebuild(tmp_path, "generator")


def test_without_the_extra_a_line_says_what_to_install(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"--format onnx needs onnxruntime: pip install 'dalikit\[export\]'"):
        export(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def prepared(inputs: Inputs, what):
    """What the README's function makes of a picture or of rows."""
    code = "\n".join(snippets.prepare(inputs))
    space: dict = {}
    exec("\n".join([*snippets.imports(code, []), code]), space)
    return space["prepare"](what)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    channels=st.sampled_from([1, 3]),
    how=st.sampled_from(["crop", "pad", "stretch"]),
    share=st.sampled_from([1.0, 0.7, 0.31]),
    mode=st.sampled_from(["L", "RGB", "RGBA", "P", "LA"]),
    bounds=st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)]),
)
def test_the_code_that_prepares_pictures_does_what_training_did(
    size, shape, channels, how, share, mode, bounds
):
    fitting = Fitting(height=shape[0], width=shape[1], channels=channels, how=how, share=share)
    inputs = Inputs(DataSpec((channels, *shape), bounds), fitting)
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert("RGB" if mode == "P" else "RGBA").convert(mode)
    expected = inputs.prepare(picture.copy()).whole()
    np.testing.assert_allclose(prepared(inputs, picture), expected, atol=1e-6 * (bounds[1] - bounds[0]))


def test_the_code_that_prepares_rows_does_what_training_did(tmp_path, monkeypatch):
    rows = np.random.default_rng(0).normal(5, 3, (6, 3))
    plain, scaled = Inputs(DataSpec((3,))), Inputs(DataSpec((3,)), None, ((4.0, 5.0, 6.0), (1.0, 2.0, 4.0)))
    np.testing.assert_allclose(prepared(plain, rows), plain.prepare(rows).whole(), rtol=1e-6)
    monkeypatch.chdir(tmp_path)
    Path(FACTS).write_text('{"data": {"standardization": [[4.0, 5.0, 6.0], [1.0, 2.0, 4.0]]}}')
    np.testing.assert_allclose(prepared(scaled, rows), scaled.prepare(rows).whole(), rtol=1e-6)


def test_the_code_that_prepares_floats_scales_them_as_training_did(tmp_path):
    floats = np.random.default_rng(0).random((6, 5, 4, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", floats)
    inputs = Inputs(DataSpec((5, 4, 4), (-1.0, 1.0)), float_range=(0.0, 1.0))
    expected = inputs.prepare(tmp_path / "x.npy").whole()
    np.testing.assert_allclose(prepared(inputs, floats), expected, atol=1e-6)
