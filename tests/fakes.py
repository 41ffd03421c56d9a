"""Fake distributions: folders that importlib.metadata takes for installed packages."""

import sys
import textwrap
from pathlib import Path

PLUGINS = Path(__file__).parent / "plugins"


def install(
    folder: Path, monkeypatch, distribution: str, source: str, version: str = "1.0", point: str = "plugin"
) -> None:
    """Put a distribution with one plugin module on the path for the length of a test."""
    module = distribution.replace("-", "_")
    home = folder / distribution
    info = home / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (home / f"{module}.py").write_text(textwrap.dedent(source))
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[dalikit]\n{point} = {module}\n")
    monkeypatch.delitem(sys.modules, module, raising=False)  # of an earlier test
    monkeypatch.syspath_prepend(str(home))


def install_file(folder: Path, monkeypatch, name: str) -> str:
    """Put `tests/plugins/NAME.py`, a whole plugin in one file, on the path; returns its distribution."""
    distribution = f"fake-{name.replace('_', '-')}"
    install(folder, monkeypatch, distribution, (PLUGINS / f"{name}.py").read_text())
    return distribution


GAME = """
from dalikit.hookspecs import hookimpl
from dalikit.interfaces import AdversarialGame

DALIKIT_API = 2

class Game(AdversarialGame):
    name = "{name}"
    def __init__(self, *, weight: float = 1.0):
        self.weight = weight
    def discriminator_loss(self, real, fake):
        return fake - real
    def generator_loss(self, fake, real=None):
        return -self.weight * fake

@hookimpl
def dalikit_components():
    return [Game]
"""
"""A healthy plugin with one game."""
