"""Installed packages whose metadata, entry points or modules are odd."""

import random

from tests.reliability.fuzzing import values
from tests.reliability.fuzzing.case import Case, Place
from tests.reliability.fuzzing.mutate import worse

MODULE = """
from dalikit.hookspecs import offer
from dalikit.interfaces import AdversarialGame
DALIKIT_API = 2
class Game(AdversarialGame):
    name = NAME
    def __init__(self, *, weight: float = 1.0): ...
    def discriminator_loss(self, real, fake): return fake - real
    def generator_loss(self, fake, real=None): return -fake
dalikit_components = offer(Game)
"""


def make(rng: random.Random, place: Place) -> Case:
    """A distribution that offers something."""
    module = f"odd_{place.folder.name.replace('-', '_')}"
    home = place.folder / "site"
    info = home / f"{module}-{rng.choice(('1.0', '', '..', '1.0.0' * 40))}.dist-info"
    info.mkdir(parents=True)
    name = values.text(rng)
    source = rng.choice(
        (
            MODULE.replace("NAME", rng.choice((ascii(name), "3", "None", "'gan'", "['a']", "'x' * 9000"))),
            "raise SystemExit(3)",
            "import nothing_such",
            "def",
            "DALIKIT_API = [" + "'x' * 9000]",
            "DALIKIT_API = 2",
            "DALIKIT_API = 2\ndef __getattr__(name): raise RuntimeError('x' * 9000)",
            "DALIKIT_API = 2\ndef dalikit_components(): return [3]",
            f"raise ValueError({name!a})",
            "from dalikit.hookspecs import offer\nDALIKIT_API = 2\n"
            "class Odd:\n    def __repr__(self): raise RuntimeError('no')\ndalikit_components = offer(Odd())",
            "from dalikit.hookspecs import hookimpl\nDALIKIT_API = 2\n"
            "@hookimpl\ndef dalikit_components(): return 3",
        )
    )
    (home / f"{module}.py").write_text(source)
    called = rng.choice((module, "dalikit", "", "a" * 5000, name))
    metadata = f"Metadata-Version: 2.1\nName: {called}\nVersion: 1.0\n"
    point = rng.choice(("point", "builtin", "", "a b", name))
    value = rng.choice((module, f"{module}:x", "os:system", "", ":", "..", "a.b c", "9", name))
    points = f"[dalikit]\n{point} = {value}\n"
    for path, content in ((info / "METADATA", metadata), (info / "entry_points.txt", points)):
        data = content.encode("utf-8", "surrogatepass")
        what = rng.random()
        if what < 0.1:
            continue
        path.write_bytes(worse(rng, data) if what < 0.3 else data)
    return Case(
        rng.choice((["plugins"], ["plugins", "--json"], ["config", "--steps", "2"], ["plugins", "--strict"])),
        [home],
    )
