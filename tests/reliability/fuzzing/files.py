"""Files of other kinds: zip, parquet, safetensors, torch's, and those that a run consists of."""

import io
import json
import pickle
import random
import shutil
import struct
import zipfile
from pathlib import Path

import torch

from dalikit.runs.manifest import MANIFEST, FileFacts, Manifest
from tests.reliability.fuzzing import pictures, values
from tests.reliability.fuzzing.arrays import Bomb
from tests.reliability.fuzzing.case import Case, Place, run_code
from tests.reliability.fuzzing.mutate import odd_file, worse


def zipped(rng: random.Random, place: Place) -> Case:
    """A zip of pictures: names that climb, bombs, links, and bytes made worse."""
    names = (
        "../../up.png",
        "/abs.png",
        "a/../../b.png",
        "..\\w.png",
        "C:\\c.png",
        "\n.png",
        "a" * 500 + ".png",
        "\x1b[31m.png",
        "b\0.png",
        ".png",
        "x.eps",
    )
    file = io.BytesIO()
    with zipfile.ZipFile(
        file, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    ) as made:
        for n in range(rng.choice((0, 22, 22, 22))):
            made.writestr(
                f"{rng.choice(('', 'a/', 'b/', 'train/', 'test/'))}{n}.png", pictures.sound(rng, "PNG")
            )
        for _ in range(rng.choice((0, 0, 1, 5))):
            made.writestr(rng.choice(names), pictures.sound(rng, "PNG"))
        if rng.random() < 0.1:
            made.writestr("bomb.png", bytes(3 << 28), zipfile.ZIP_DEFLATED, 1)
        if rng.random() < 0.1:
            link = zipfile.ZipInfo("link.png")
            link.external_attr = 0o120777 << 16
            made.writestr(link, "/etc/passwd")
    content = file.getvalue()
    return _data(rng, place, "p.zip", worse(rng, content) if rng.random() < 0.5 else content)


def table(rng: random.Random, place: Place) -> Case:
    """A parquet file of pictures, sound or made worse."""
    import pyarrow
    from pyarrow import parquet

    count = rng.choice((0, 22, 30))
    images = [pictures.sound(rng, "PNG") for _ in range(count)]
    if images and rng.random() < 0.3:
        images[0] = rng.choice((pictures.png_bomb(rng), b"", None, pictures.text_bomb(rng)))
    label = rng.choice(
        ([0, 1], ["a", "b\n" * 400], [None, 1.0], [float("nan"), 2.0], [[1], [2]], [{"a": 1}, None])
    )
    columns = {
        rng.choice(("image", "img", "other", "x" * 3000)): images,
        rng.choice(("label", "class", "y")): (label * count)[:count],
    }
    if rng.random() < 0.3:
        columns = {"image": [{"bytes": image, "path": "../../x"} for image in images], **columns}
    elif count and rng.random() < 0.2:  # one value for all rows, which stands in the file once
        name, value = rng.choice((("image", bytes(40 << 20)), ("label", "c" * (1 << 24))))
        columns[name] = pyarrow.DictionaryArray.from_arrays([0] * count, pyarrow.array([value]))
    made = pyarrow.table(columns)
    if rng.random() < 0.2:
        told = rng.choice(
            (
                b"{",
                b"[" * 100_000,
                json.dumps({"info": {"features": {"label": {"names": ["n" * 9000]}}}}).encode(),
            )
        )
        made = made.replace_schema_metadata({b"huggingface": told})
    file = io.BytesIO()
    packing = rng.choice(("snappy", "gzip", "zstd", "none"))
    parquet.write_table(made, file, compression=packing, store_schema=rng.random() < 0.5)
    content = file.getvalue()
    return _data(rng, place, "p.parquet", worse(rng, content) if rng.random() < 0.6 else content)


def of_run(rng: random.Random, place: Place) -> Case:
    """A run of which one file says something else, is worse, or is no file; or weights of Inception's."""
    if rng.random() < 0.2:
        return inception(rng, place)
    run = _copy(rng, place)
    files = [p for p in sorted(run.rglob("*")) if p.suffix in (".json", ".jsonl", ".yaml", ".safetensors")]
    path = rng.choice(files)
    what = rng.random()
    if what < 0.1:
        path.unlink()
        odd_file(rng, path)
    elif what < 0.3 and path.suffix != ".safetensors":
        path.write_text(_json(rng))
    else:
        path.write_bytes(worse(rng, path.read_bytes()))
    return _used(rng, place, run)


def weights(rng: random.Random, place: Place) -> Case:
    """A digit scorer that is none; or a file of a checkpoint that is none, which its manifest vouches for."""
    if rng.random() < 0.4:
        return scorer(rng, place)
    run = _copy(rng, place)
    path = rng.choice([*run.rglob("*.safetensors"), *run.rglob("state.json")])
    odd = _json(rng).encode() if path.suffix == ".json" else tensors(rng)
    path.write_bytes(odd if rng.random() < 0.5 else worse(rng, path.read_bytes()))
    manifest = Manifest.read(path.parent)
    files = {**manifest.files, path.name: FileFacts.of(path.read_bytes())}
    (path.parent / MANIFEST).write_text(manifest.model_copy(update={"files": files}).text())
    return _used(rng, place, run)


def _copy(rng: random.Random, place: Place) -> Path:
    """A run that may be written in: it is resumed, for one."""
    return shutil.copytree(rng.choice(list(place.runs.values())), place.out / "run")


def _used(rng: random.Random, place: Place, run: Path) -> Case:
    sample = ["sample", str(run), "--n", "2", "--out", str(place.out / "a.npy")]
    resume = ["train", "--resume", str(run), "--no-report"]
    return Case(rng.choice((sample, resume, ["evaluate", str(run), "--json"])))


def tensors(rng: random.Random) -> bytes:
    """A file of safetensors whose head lies."""
    shape = rng.choice(([2**40], [2, 2], [0], [2**63], [-1], "x", [1] * 1000))
    offsets = rng.choice(([0, 16], [0, 2**60], [16, 0], [-1, 5], [0, 8], "x"))
    entry = {
        "dtype": rng.choice(("F32", "F64", "U8", "X", "BOOL", 3)),
        "shape": shape,
        "data_offsets": offsets,
    }
    head = json.dumps(
        dict.fromkeys(rng.choice((["a"], ["a", "b"], ["__metadata__"], ["n" * 9000])), entry)
    ).encode()
    if rng.random() < 0.2:
        head = rng.choice((b"[" * 100_000, b"{}", b"null", b"\xff", b'{"a": ' * 5000))
    long = rng.choice((len(head), len(head), 0, 2**63, 2**40, 99_999_999))
    return struct.pack("<Q", long) + head + bytes(16)


def _json(rng: random.Random) -> str:
    return rng.choice(
        (
            *(
                "",
                "null",
                "[]",
                "{}",
                "NaN",
                '{"format": 2}',
                '{"step": 1e999}',
                "[" * 100_000,
                '{"a":' * 100_000,
            ),
            *('{"format": ' + "9" * 5000 + "}", '{"format": "' + "x" * 7000 + '"}', "9" * 5000),
            '{"format": 2, "data": {"x_shape": [99999999, 99999999], "value_range": [0, 1]}}',
            '{"format": 2, "data": {"x_shape": [1, 8, 8], "value_range": [NaN, Infinity]}}',
        )
    )


def scorer(rng: random.Random, place: Place) -> Case:
    """A digit scorer that is none."""
    path = place.folder / "s.safetensors"
    what = rng.random()
    if what < 0.1:
        odd_file(rng, path)
    elif what < 0.6:
        path.write_bytes(tensors(rng))
    else:
        facts = rng.choice(
            (
                *(values.text(rng),) * 2,
                "[" * 100_000,
                '{"format": "dalikit digit scorer 1", "classes": 10, "width": 4096, "features": 4096}',
            )
        )
        facts = facts.encode("utf-8", "replace").decode()
        head = json.dumps(
            {"__metadata__": {"dalikit": facts}, "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
        ).encode()
        path.write_bytes(worse(rng, struct.pack("<Q", len(head)) + head + bytes(8)))
    return _scored(place, "digits", path)


def inception(rng: random.Random, place: Place) -> Case:
    """Inception's weights that are none, or that run code."""
    path, file = place.folder / "i.pth", io.BytesIO()
    what = rng.randrange(5)
    if what == 0:
        odd_file(rng, path)
    elif what == 1:
        path.write_bytes(pickle.dumps({"a": Bomb(run_code(place.canary))}))
    elif what == 2:
        torch.save({"a": Bomb(run_code(place.canary))}, file)
        path.write_bytes(file.getvalue())
    else:
        torch.save(rng.choice(({"a": torch.zeros(3)}, [1, 2], {"a": 3})), file)
        path.write_bytes(worse(rng, file.getvalue()))
    return _scored(place, "inception", path)


def _scored(place: Place, extractor: str, path: Path) -> Case:
    words = ["evaluate", str(place.runs["colour"]), "--metric", "fidelity"]
    for name, value in (("extractor", extractor), ("weights", path), ("count", 20)):
        words += ["--set", f"metrics.fidelity.{name}={value}"]
    return Case(words)


def _data(rng: random.Random, place: Place, name: str, content: bytes) -> Case:
    path = place.folder / name
    path.write_bytes(content)
    if rng.random() < 0.3:
        return Case(["encode", str(place.runs["digits"]), str(path), "--out", str(place.out / "a.npy")])
    return Case(["data", str(path), "--out", str(place.out / "a.png"), "--data-root", str(place.out)])
