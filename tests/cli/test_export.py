"""`dalikit export`: what is checked is tested in tests/test_exporting.py, on every backbone."""

import shutil

import pytest


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_it_says_what_was_written_and_how_far_it_is_off(cli, copied):
    for folder in ("export-safetensors", "export-safetensors-2"):
        done = cli("export", copied, "--format", "safetensors")
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert (
            lines[0]
            == f"Wrote {copied / folder / 'generator.safetensors'}: differs from the model by 0 at most"
        )
        assert lines[-1] == f"How to call them is in {copied / folder / 'README.md'}"
        assert sorted(path.name for path in (copied / folder).iterdir()) == [
            *("README.md", "both.safetensors", "encoder.safetensors", "export.json", "generator.safetensors")
        ]


def test_an_earlier_export_is_replaced_by_force_alone(cli, copied, tmp_path):
    out = ("--format", "safetensors", "--out", tmp_path / "out")
    assert cli("export", copied, *out).returncode == 0
    refused = cli("export", copied, *out, "--part", "generator")
    assert refused.returncode == 2
    assert "is there already" in refused.stderr
    done = cli("export", copied, *out, "--part", "generator", "--weights", "best", "--force")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "out" / "encoder.safetensors").exists()
    assert "its best averaged weights" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "pickle"), "--format pickle: it is one of onnx, torch-export, safetensors"),
        (("--part", "critic"), "--part critic: it is one of generator, encoder, both"),
        (("--weights", "worst"), "There are no weights 'worst'"),
        (("--out", "out.onnx"), "--out out.onnx: what can be written here is a folder"),
    ],
)
def test_what_it_does_not_know(cli, trained, words, said):
    done = cli("export", trained, *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
