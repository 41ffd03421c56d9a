"""A plugin that fails in the middle is named, by its component and its distribution, and where it was."""

import re

import fakes
import pytest

OF = "of fake-faulty 1.0"
JOINT = r"phase 'generator\+encoder'"
WORN = "ZeroDivisionError: worn out"
OFF = [
    "--set",
    "callbacks.pictures=null",
    "--set",
    "callbacks.evaluation=null",
    "--set",
    "callbacks.progress=null",
]
SMALL = [
    "--backbone",
    "mlp",
    "--set",
    "trainer.batch_size=8",
    "--set",
    "generator.latent_size=3",
    "--steps",
    9,
]


@pytest.fixture(autouse=True)
def plugin(tmp_path, monkeypatch):
    fakes.install_file(tmp_path / "site", monkeypatch, "faulty")


@pytest.fixture
def train(cli, tmp_path):
    """Train with settings; returns what was ended with."""

    def run(*words, off=True):
        given = [each for word in words for each in ("--set", word)]
        return cli("train", *SMALL, *(OFF if off else []), *given, "--out", tmp_path / "run")

    return run


RAISED = {
    "posterior=worn posterior.fault=raise": rf"posterior 'worn' {OF} failed in {JOINT} of step \d",
    "game=sour game.fault=raise": rf"game 'sour' {OF} failed in phase 'discriminator' of step 3",
    "generator.name=sick generator.fault=raise": rf"generator 'sick' {OF} failed in phase '[^']+' of step \d",
    "encoder.name=lame encoder.fault=raise": rf"encoder 'lame' {OF} failed in {JOINT} of step \d",
    "dataset=torn dataset.fault=raise": rf"dataset 'torn' {OF} failed in step 3",
    "trainer.optimizer=halt trainer.optimizer.fault=raise": (
        rf"optimizer 'halt' {OF} failed in phase 'discriminator' of step \d"
    ),
}


@pytest.mark.parametrize("words", RAISED)
def test_who_raises_in_training_is_named(train, words):
    done = train(*words.split())
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert re.search(f"Error: {RAISED[words]}: {WORN}", done.stderr), done.stderr


NAN = {
    "posterior=worn posterior.fault=nan": ("generator\\+encoder", "posterior 'worn'"),
    "posterior=worn posterior.slope=true": ("generator\\+encoder", "posterior 'worn'"),
    "posterior=worn posterior.plain=true": ("generator\\+encoder", "posterior 'worn'"),
    "game=sour game.fault=nan": ("discriminator", "game 'sour'"),
    "generator.name=sick generator.fault=nan": ("[^']+", "generator 'sick'"),
    "encoder.name=lame encoder.fault=nan": ("generator\\+encoder", "encoder 'lame'"),
}


@pytest.mark.parametrize("words", NAN)
def test_whose_numbers_are_not_finite_is_named_with_phase_and_step(train, words):
    phase, who = NAN[words]
    done = train(*words.split())
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert re.search(rf"Phase '{phase}': .* in step \d, where {who} {OF} began it\.", done.stderr), (
        done.stderr
    )


def test_the_term_is_the_one_that_the_density_is_in(train):
    done = train("posterior=worn", "posterior.fault=nan")
    assert re.search(r"Phase 'generator\+encoder': its nll became nan in step \d", done.stderr), done.stderr


def test_where_it_is_finite_when_run_once_more_the_plugins_that_took_part_are_named(train):
    said = train("posterior=worn", "posterior.fault=once").stderr
    part = rf"plugins have a part in it: posterior 'worn' {OF}"
    assert re.search(rf"Phase 'generator\+encoder': its nll became nan in step \d; {part}\.", said), said


def test_weights_that_an_optimizer_spoils_are_its_fault_and_no_networks(train):
    """They are seen by whoever reads them next."""
    said = train("trainer.optimizer=halt", "trainer.optimizer.fault=nan").stderr
    what = rf"optimizer 'halt' {OF} had left weights of 'discriminator' that are not finite"
    assert re.search(rf"Phase '\S+': its \w+ became nan in step \d, where {what}\.", said), said


def test_data_that_are_not_finite_are_the_data_sets_fault(train):
    said = train("dataset=torn", "dataset.fault=nan").stderr
    what = rf"dataset 'torn' {OF} gave data that are not finite"
    assert re.search(rf"Phase '\S+': its \w+ became nan in step 3, where {what}\.", said), said


@pytest.mark.parametrize(
    ("at", "says"), [("settled", f"failed: {WORN}"), ("exit", "cannot be built: SystemExit: 0")]
)
def test_a_callback_that_fails_before_training_is_named_and_nothing_is_left(train, tmp_path, at, says):
    done = train(f"callbacks.clumsy.at={at}")
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1
    assert f"callback 'clumsy' {OF} {says}" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("at", ["fit_start", "state", "load_state"])
def test_a_callback_that_cannot_begin_or_be_saved_is_named(train, cli, tmp_path, at):
    done = train(f"callbacks.clumsy.at={'nowhere' if at == 'load_state' else at}")
    if at == "load_state":
        assert done.returncode == 0, done.stderr
        done = cli("train", "--resume", tmp_path / "run", "--steps", 12)
        assert done.returncode == 0, done.stderr
        config = tmp_path / "run" / "config.yaml"
        config.write_text(config.read_text().replace("at: nowhere", "at: load_state"))
        done = cli("train", "--resume", tmp_path / "run", "--steps", 15, "--accept-changes")
    assert done.returncode == 1
    assert re.search(rf"callback 'clumsy' {OF} failed.*{WORN}", done.stderr), done.stderr


@pytest.mark.filterwarnings("always::UserWarning")
@pytest.mark.parametrize("at", ["step_end", "logged", "fit_end"])
def test_a_callback_that_fails_later_is_named_and_training_goes_on(train, at):
    done = train(f"callbacks.clumsy.at={at}")
    assert done.returncode == 0, done.stderr
    said = rf"Warning: callback 'clumsy' {OF} failed, and training goes on: in {at} of step \d: {WORN}\n"
    assert len(re.findall(said, done.stderr)) == 1, done.stderr


@pytest.mark.parametrize("at", ["update", "nan", "unfit"])
def test_a_metric_that_fails_is_named(train, cli, tmp_path, at):
    done = train(
        "callbacks.evaluation.every=5", f"metrics.vague.at={at}", "callbacks.progress=null", off=False
    )
    assert done.returncode == 0, done.stderr
    said = "gives value = nan" if at == "nan" else f"failed: {WORN}"
    assert f"metric 'vague' {OF} {said}" in done.stdout + done.stderr
    done = cli("evaluate", tmp_path / "run", "--metric", "vague")
    assert done.returncode in (1, 2)
    assert f"metric 'vague' {OF} {said}" in done.stderr


def test_the_built_ins_are_named_too_where_a_rate_is_absurd(train):
    done = train("trainer.lr=1e30", "trainer.clip_norm=null", "trainer.clip_value=null")
    assert re.search(r"Phase '.*': its \w+ became \w+ in step \d, where \w+ '\w+' began it\.", done.stderr), (
        done.stderr
    )


SLOW = """
    import time
    time.sleep({seconds})
""" + "\n".join(f"    {line}" for line in fakes.GAME.format(name="slow").splitlines())


@pytest.mark.parametrize("seconds", [0.0, 0.4])
def test_a_slow_import_is_named_with_its_seconds(tmp_path, monkeypatch, cli, seconds):
    from dalikit.assembly import registry, rows

    monkeypatch.setattr(rows, "SLOW", 0.3)
    source = SLOW.replace("{seconds}", str(seconds))
    fakes.install(tmp_path / "slow", monkeypatch, "dalikit-slow", source, "0.7")
    if not seconds:
        registry.Registry.discover(strict=True)
        return
    with pytest.warns(
        registry.PluginWarning, match=r"'plugin' of dalikit-slow 0\.7 took 0\.\d s to be imported"
    ):
        found = registry.Registry.discover()
    assert found.row("game", "slow").seconds >= seconds
