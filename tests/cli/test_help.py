"""Help: quick, without torch, and complete."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "words", [["--help"], ["train", "--help"], ["plugins", "--help"], ["reproduce", "--help"]]
)
def test_help_imports_no_torch(words):
    code = (
        "import sys\n"
        "from dalikit.cli.main import main\n"
        f"try: main({words!r})\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_the_pytest_plugin_imports_nothing_of_dalikits():
    """pytest loads it wherever dalikit is installed, and whatever is tested."""
    code = (
        "import sys, dalikit.pytest_plugin; assert 'torch' not in sys.modules and 'numpy' not in sys.modules;"
        "assert {m for m in sys.modules if m.startswith('dalikit')} == {'dalikit', 'dalikit.pytest_plugin'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_dalikit_imports_no_torch():
    code = (
        "import sys, dalikit; assert 'torch' not in sys.modules; "
        "dalikit.load; assert 'torch' in sys.modules; "
        "assert {'load', 'train', 'Trainer', 'DataSpec'} <= set(dir(dalikit))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_such_name():
    import dalikit

    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dalikit.nonsense


def test_no_arguments_show_the_help(command):
    done = command()
    assert "train" in done.stdout
    assert done.stderr == ""


def test_every_command_is_listed_with_a_line(cli):
    shown = cli("--help").stdout
    for name in ("train", "sample", "reconstruct", "encode", "vary", "interpolate", "neighbours", "evaluate",
                 "plugins", "recipes", "config", "report", "reproduce", "compare", "scorer",
                 "verify", "doctor", "export", "push", "film"):  # fmt: skip
        assert name in shown
