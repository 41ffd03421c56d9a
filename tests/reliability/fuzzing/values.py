"""Values that nobody means: numbers, texts, and YAML that runs code or explodes."""

import random

from tests.reliability.fuzzing.case import Place, run_code


def number(rng: random.Random) -> str:
    """A number, or nearly one, as a text."""
    return rng.choice(
        (
            *("0", "1", "-1", "2", "0.5", "1e-4", "1e400", "-1e400", ".nan", ".inf", "-.inf", "nan", "inf"),
            *("1e308", "5e-324", "2147483648", "4294967296", "9223372036854775808", "-9223372036854775809"),
            *("0b1", "017", "1_000", "1:30:00", "3.0", "٣", "1,5", "+5", "--5", "1e", "e5", " 5"),
            "9" * 50,
            "9" * 5000,
            "0x" + "f" * 5000,
            "0" * 50,
            "60:" * 400 + "1",
        )
    )


def text(rng: random.Random) -> str:
    """A text of any length, with anything in it."""
    return rng.choice(
        (
            *("", " ", "null", "~", "true", "no", "''", '""', "dali", "ä€\U0001f600", "%s%n{0}", "a.b.c"),
            *("../../etc", "a\nb\nc", "\x1b[2J\x1b[31m", "a\rb", "\u202e", "\ufeff", "\ud800", "{", "]"),
            *("'", '"', "!!", "&", "*a", "*", "%", "@", "`", "? ", "- - -", "a: b: c", "#", "|", ">"),
            *("2020-13-45", "2020-01-01"),
            "a" * 200,
            "a" * 6800,
            "".join(chr(rng.randrange(1, 0x3000)) for _ in range(rng.choice((3, 30, 3000)))),
        )
    )


def yaml(rng: random.Random, place: Place) -> str:
    """YAML of one value: plain, nested, tagged, or a bomb."""
    code = run_code(place.canary)
    deep = rng.choice((20, 60, 500, 5000, 100_000))
    return rng.choice(
        (
            *("[]", "{}", "[1, 2]", "[[0, 1], 2]", "{name: 3}", "{name: null}", "{name: [dali]}"),
            *("{a: {b: {c: 1}}}", "{1: 2}", "{null: 1}", "{[1]: 2}", "{? {a: 1} : 2}", "[a, a]"),
            *("{name: dali, name: gan}", "{<<: {a: 1}}", "!!set {a, b}", "!!binary aGVsbG8="),
            *("!!timestamp 2020-01-01", "!!omap [a: 1]", "!!pairs [a: 1]", "!!int x", "!!float y"),
            *("!!bool z", "!!int ''", "!!python/tuple [1, 2]", "!!python/name:os.system ''", "&a [*a]"),
            *("{x: &a {b: *a}}", "[*unknown]"),
            f"!!python/object/apply:os.system ['{code}']",
            f"!!python/object/new:os.system ['{code}']",
            f"!!python/object/apply:subprocess.check_output [[sh, -c, '{code}']]",
            f"!!python/object/new:type {{args: [z, [], {{}}], state: '{code}'}}",
            f"!!python/module:{place.canary.stem} ''",
            "[" * deep,
            "[" * deep + "]" * deep,
            "{a: " * deep + "1" + "}" * deep,
            "- " * min(deep, 3000) + "1",
            "[" + "1, " * min(deep * 10, 60_000) + "1]",
            bomb(rng.choice((3, 6, 9, 12)), rng.choice((2, 9, 10))),
            merge_bomb(rng.choice((10, 25))),
            text(rng),
            number(rng),
        )
    )


def bomb(levels: int, each: int) -> str:
    """A flow sequence whose aliases stand for `each` to the power of `levels` values."""
    lists = ["&l0 [x]"]
    lists += [f"&l{n} [{', '.join([f'*l{n - 1}'] * each)}]" for n in range(1, levels)]
    return f"[{', '.join(lists)}]"


def merge_bomb(levels: int) -> str:
    """Mappings that each merge the last one twice."""
    maps = ["&m0 {k0: 1}"]
    maps += [f"&m{n} {{<<: [*m{n - 1}, *m{n - 1}], k{n}: 1}}" for n in range(1, levels)]
    return f"[{', '.join(maps)}]"
