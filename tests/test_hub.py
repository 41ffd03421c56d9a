"""A run on the Hugging Face Hub and back, by its real client, against a hub on loopback (`fakehub`).

The seam is HTTP: whatever the client does with paths, modes, commits and its cache is what it does elsewhere.
"""

import re
import shutil
import sys
import warnings

import pytest
import torch
from fakehub import TOKEN, Hub, serving
from huggingface_hub import ModelCard, constants

import dalikit
from dalikit.errors import RunError, UserError
from dalikit.hub import Place
from dalikit.publishing import push

RUN = {"config.yaml", "run.json", "scores.json", "metrics.jsonl", "README.md", ".gitattributes"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty hub, an empty cache, and a token that may write to ada/."""
    found = Hub()
    with serving(found) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        yield found


@pytest.fixture(scope="module")
def model(trained):
    return dalikit.load(trained)


def sent(model, name: str = "ada/digits", **settings) -> str:
    return push(model, Place.parse(name), **settings)[0]


def test_a_run_comes_back_as_it_went(model, hub):
    address = sent(model)
    assert re.fullmatch(r"http://127.*/ada/digits/commit/[0-9a-f]{40}", address)
    assert hub.messages == ["dali on digits, step 30"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of edits, and of weights that are not those that were scored
        for weights in ("last", "best"):
            there, here = (
                dalikit.load("hf://ada/digits", weights=weights),
                dalikit.load(model.run.path, weights=weights),
            )
            assert torch.equal(there.sample(5, seed=1), here.sample(5, seed=1))
    assert there.run.scores == model.run.scores
    assert there.run.path != model.run.path


def test_what_goes_up_is_what_using_it_needs(model, hub):
    sent(model)
    tree = set(hub.repos["ada/digits"]["main"])
    assert tree - RUN == {
        "checkpoints/step-000030/averaged.safetensors",
        "checkpoints/step-000030/manifest.json",
        f"best/{model.run.bests()[-1].name}/averaged.safetensors",
        f"best/{model.run.bests()[-1].name}/manifest.json",
        f"best/{model.run.bests()[-1].name}/best.json",
        "samples/step-000030.png",
        "reconstructions/step-000030.png",
    }
    assert not hub.private["ada/digits"]


def test_all_of_it_can_be_resumed(model, hub, tmp_path):
    sent(model, everything=True)
    tree = hub.repos["ada/digits"]["main"]
    for path, content in tree.items():
        (tmp_path / "down" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "down" / path).write_bytes(content)
    found = dalikit.load(tmp_path / "down").run.load_checkpoint()
    assert found.state.scalars["step"] == 30


def test_nothing_is_fetched_that_using_a_run_does_not_read(model, hub):
    sent(model, everything=True)
    hub.repos["ada/digits"]["main"]["checkpoints/step-000030/evil.pkl"] = b"cos\nsystem\n"
    hub.repos["ada/digits"]["main"]["setup.py"] = b"raise SystemExit"
    found = dalikit.load("hf://ada/digits")
    names = {path.name for path in found.run.path.rglob("*") if path.is_file()}
    assert not names & {"evil.pkl", "setup.py", "training.safetensors", "state.json", "README.md"}
    assert "averaged.safetensors" in names


def test_what_comes_down_is_held_against_its_manifest(model, hub):
    sent(model)
    path = "checkpoints/step-000030/averaged.safetensors"
    content = bytearray(hub.repos["ada/digits"]["main"][path])
    content[-1] ^= 1
    hub.repos["ada/digits"]["main"][path] = bytes(content)
    with pytest.raises(UserError, match=r"averaged\.safetensors is not as it was written"):
        dalikit.load("hf://ada/digits")


def test_a_second_push_removes_what_the_first_one_left_and_nothing_else(model, hub):
    sent(model, private=True)
    tree = hub.repos["ada/digits"]["main"]
    tree |= {"checkpoints/step-000020/averaged.safetensors": b"old", "notes.md": b"mine"}
    sent(model)
    assert "checkpoints/step-000020/averaged.safetensors" not in tree
    assert tree["notes.md"] == b"mine"
    assert hub.private["ada/digits"], "whether it is private is its owner's affair"


def test_a_branch_is_made_and_read(model, hub):
    sent(model, "ada/digits@trial")
    assert "config.yaml" not in hub.repos["ada/digits"]["main"]
    assert dalikit.load("hf://ada/digits@trial").step == 30
    with pytest.raises(UserError, match=r"hf://ada/digits is no run of dalikit: it has no config\.yaml"):
        dalikit.load("hf://ada/digits")
    with pytest.raises(UserError, match="hf://ada/digits@other: there is no such branch, tag or commit"):
        dalikit.load("hf://ada/digits@other")


def test_the_card_says_what_the_run_is(model, hub, tmp_path):
    sent(model, license="apache-2.0")
    text = hub.repos["ada/digits"]["main"]["README.md"].decode()
    (tmp_path / "README.md").write_text(text)
    data = ModelCard.load(tmp_path / "README.md").data
    assert (data.license, data.library_name) == ("apache-2.0", "dalikit")
    assert {"dalikit", "dali"} <= set(data.tags)
    values = model.run.scores.metrics["reconstruction"]
    found = {result.metric_type: result.metric_value for result in data.eval_results}
    assert found == {
        f"reconstruction.{field}": value for field, value in values.items() if field != "protocol"
    }
    for said in (
        'dalikit.load("hf://ada/digits")',
        "![samples](samples/step-000030.png)",
        f"{values['mse_01']:.4g}",
        f"data_sha256 {values['protocol']['data_sha256']}",
        "Decomposed Adversarial Learned Inference",
        "scikit-learn load_digits",
        "30 steps of 16, seed 0",
    ):
        assert said in text, said
    sent(model)
    plain = hub.repos["ada/digits"]["main"]["README.md"].decode()
    assert "license" not in plain.split("---")[1]
    assert "None is stated." in plain


def test_the_cards_code_runs(model, hub):
    sent(model)
    text = hub.repos["ada/digits"]["main"]["README.md"].decode()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    space: dict = {}
    exec(code, space)
    assert space["again"].shape == (16, 1, 8, 8)
    assert space["z"].shape == (16, 4)


def test_a_run_that_is_not_scored_has_a_card_too(trained, hub, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "scores.json").unlink()
    sent(dalikit.load(run))
    text = hub.repos["ada/digits"]["main"]["README.md"].decode()
    assert "## Scores" not in text
    assert "model-index" not in text


@pytest.mark.parametrize(
    "text", ["hf://", "hf://ada", "hf://ada/", "hf:///x", "hf://a/b/c", "hf://ada/digits@", "ada"]
)
def test_what_is_no_place_is_said(text):
    with pytest.raises(UserError, match="write it as hf://user/name"):
        Place.parse(text)


def test_bad_places_and_tokens_are_said_in_a_line(model, hub, monkeypatch):
    cases = [
        (
            lambda: dalikit.load("hf://ada/nothing"),
            "hf://ada/nothing: there is no such repository, or it is private",
        ),
        (lambda: dalikit.load("hf://ada/a..b"), r"hf://ada/a\.\.b: "),
        (lambda: sent(model, "others/digits"), "hf://others/digits cannot be written with this token"),
    ]
    for call, said in cases:
        with pytest.raises(UserError, match=said) as raised:
            call()
        assert "\n" not in str(raised.value)
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with pytest.raises(UserError, match="cannot be written with this token: `hf auth login`"):
        sent(model)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(UserError, match="Nobody is logged in, to write hf://ada/digits: `hf auth login`"):
        sent(model)
    assert not hub.repos


def test_a_hub_that_does_not_answer_is_said_in_a_line(model, monkeypatch, tmp_path):
    with serving(Hub()) as address:
        pass
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    for call in (lambda: dalikit.load("hf://ada/digits"), lambda: sent(model)):
        with pytest.raises(RunError, match="hf://ada/digits cannot be reached") as raised:
            call()
        assert "\n" not in str(raised.value)


def test_without_the_extra_a_line_says_what_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: dalikit.load("hf://ada/digits"), lambda: sent(model)):
        with pytest.raises(UserError, match=r"pip install 'dalikit\[hub\]'"):
            call()


def test_the_command_lists_what_it_sent(cli, trained, hub):
    done = cli("push", trained, "ada/digits", "--private", "--license", "mit", "--revision", "trial")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r" +config\.yaml +[0-9.]+ kB", next(line for line in lines if "config" in line))
    assert re.match(r"Sent 12 files of [0-9.]+ [kM]B: http", lines[-2])
    assert lines[-1] == 'Use it by dalikit.load("hf://ada/digits@trial")'
    assert hub.private["ada/digits"]
    refused = cli("push", trained, "ada/digits", "--license", "My Own!")
    assert refused.returncode == 2
    assert "--license My Own!: the Hub names licences as apache-2.0" in refused.stderr
    assert cli("push", trained, "digits").returncode == 2
