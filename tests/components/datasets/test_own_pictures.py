"""One's own pictures: folders, zips and parquet, their classes and parts, their size and colour."""

import io
import json
import warnings
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dalikit import testing
from dalikit.components.datasets.folder import Folder
from dalikit.data.gathering import Survey, in_colour
from dalikit.errors import UserError

RNG = np.random.default_rng(0)
PARTS = ("train", "validation", "test")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DALIKIT_DATA", str(tmp_path / "root"))
    return tmp_path / "root"


def content(i, size=(12, 12), kind="PNG"):
    """A picture's bytes; its upper left pixels tell which it is."""
    image = RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
    image[: size[0] // 2, : size[1] // 2] = i
    made = io.BytesIO()
    Image.fromarray(image).save(made, kind)
    return made.getvalue()


def fill(folder, names):
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content(i))
    return folder


def pack(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in enumerate(names):
            archive.writestr(name, content(i))
    return path


def read(data):
    """The label's name, or None, of every picture by its number, and the parts of all."""
    found, parts = {}, {}
    for part in PARTS:
        split = data.split(part)
        x, y = split.take(torch.arange(len(split)), torch.Generator())
        numbers = x[:, 0, 0, 0].tolist()
        labels = [None] * len(x) if y is None else [data.spec.classes[label] for label in y]
        found |= dict(zip(numbers, labels, strict=True))
        parts |= dict.fromkeys(numbers, part)
    return found, parts


CLASSED = [f"{'cat' if i % 3 else 'dog'}/{i:02d}.png" for i in range(40)]


@pytest.mark.parametrize("made", [fill, pack])
@pytest.mark.parametrize("outer", ["", "outer/most/"])
def test_folders_are_classes_in_a_folder_and_in_a_zip(tmp_path, made, outer):
    path = made(tmp_path / "pictures.zip", [outer + name for name in CLASSED])
    data = Folder(path=str(path))
    assert data.spec.classes == ("cat", "dog")
    found, parts = read(data)
    assert found == {i: "cat" if i % 3 else "dog" for i in range(40)}
    assert set(parts.values()) == set(PARTS)
    testing.check_dataset(data)
    line, *more = data.introduction()
    sizes = " / ".join(str(sum(p == part for p in parts.values())) for part in PARTS)
    assert line == (f"40 images, 2 classes (cat 26, dog 14) → {sizes} by a hash of their content; 12×12")
    assert more == ["If mirrored pictures look natural, --set dataset.flip=true helps small data"]
    assert Folder(path=str(path), flip=True).introduction() == (line,)
    assert Folder(path=str(path), channels=1).introduction() == (line,)


def test_the_same_pictures_divide_alike_wherever_they_lie(tmp_path):
    folder, names = fill(tmp_path / "a", CLASSED), [f"x{i}.png" for i in range(40)]
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for old, new in zip(CLASSED, reversed(names), strict=True):
            archive.writestr(new, (folder / old).read_bytes())
    one, other = (Folder(path=str(path)) for path in (folder, tmp_path / "b.zip"))
    assert read(one)[1] == read(other)[1]
    assert other.spec.classes is None
    assert read(Folder(path=str(folder), split_seed=3))[1] != read(one)[1]


def parts_by_name(path, **settings):
    data = Folder(path=str(path), **settings)
    names = [entry.name for entry in data._source.entries]
    return {names[row]: part for part in PARTS for row in data._rows[part]}, data.fitting


def test_no_picture_that_is_added_moves_another_and_no_fitting_does(tmp_path):
    folder = tmp_path / "a"
    folder.mkdir()
    for i in range(60):
        grey = Image.fromarray(RNG.integers(0, 256, (14, 15 + i % 3)).astype(np.uint8))
        grey.resize((400, 300) if i % 2 else grey.size).save(folder / f"{i}.{'jpg' if i % 2 else 'png'}")
    before, fitting = parts_by_name(folder)
    assert (fitting.channels, fitting.height) == (1, 32)
    for changed in ({"size": 8}, {"size": 100}, {"how": "stretch"}, {"channels": 3}):
        assert parts_by_name(folder, **changed)[0] == before
    (folder / "z.png").write_bytes(content(1, (13, 13)))
    for i in range(70):
        (folder / f"small{i}.png").write_bytes(content(i, (9, 9)))
    after, fitting = parts_by_name(folder)
    assert (fitting.channels, fitting.height) == (3, 8)
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("held", ["test", "val", "validation"])
@pytest.mark.parametrize("made", [fill, pack])
def test_given_parts_have_classes_too(tmp_path, made, held):
    names = [f"train/{name}" for name in CLASSED[:30]] + [f"{held}/{name}" for name in CLASSED[30:]]
    data = Folder(path=str(made(tmp_path / "pictures.zip", [*names, "other/40.png"])))
    found, parts = read(data)
    assert found == {i: "cat" if i % 3 else "dog" for i in range(40)}
    assert {i for i, part in parts.items() if part == "test"} == set(range(30, 40))
    assert "with the test part as given" in data.introduction()[0]


@pytest.mark.parametrize("held", ["val", "valid", "validation"])
def test_three_parts_that_are_given_stay(tmp_path, held):
    names = [f"{('train', 'test', held)[i % 3]}/{i:02d}.png" for i in range(60)]
    data = Folder(path=str(fill(tmp_path / "a", names)))
    _, parts = read(data)
    assert parts == {i: ("train", "test", "validation")[i % 3] for i in range(60)}
    assert "with the validation and test parts as given; " in data.introduction()[0]


def test_classes_are_in_the_order_of_their_numbers(tmp_path):
    names = [f"{i % 12}/{i}.png" for i in range(48)]
    assert Folder(path=str(fill(tmp_path / "a", names))).spec.classes == tuple(map(str, range(12)))


def test_one_class_and_classes_of_one_are_told(tmp_path):
    one = Folder(path=str(fill(tmp_path / "a", [f"cats/{i}.png" for i in range(30)])))
    assert one.spec.classes is None
    assert one.introduction()[1].startswith("One class only (cats), which labels nothing; if mirrored ")
    lone = Folder(path=str(fill(tmp_path / "b", [*CLASSED, "owl/x.png"])))
    assert lone.introduction()[1].startswith("Classes of one alone: owl; ")
    mixed = Folder(path=str(fill(tmp_path / "c", [*CLASSED, "x.png"])), flip=True)
    assert mixed.spec.classes is None
    assert mixed.introduction()[1] == "No classes, for 1 image of none"


def test_a_zip_is_read_where_it_lies_and_never_leads_out_of_it(tmp_path, root):
    for name in ("../x.png", "a/../../x.png", "/x.png"):
        path = pack(tmp_path / "bad.zip", [*CLASSED, name])
        with pytest.raises(UserError, match=r"bad\.zip: '.*x\.png' leads out of the zip"):
            Folder(path=str(path)).split("train")
    (tmp_path / "torn.zip").write_bytes(b"PK no zip")
    with pytest.raises(UserError, match=r"torn\.zip is no zip that can be read"):
        Folder(path=str(tmp_path / "torn.zip")).split("train")
    data = Folder(path=str(pack(tmp_path / "good.zip", [*CLASSED, "__MACOSX/cat/._00.png", ".hidden/x.png"])))
    assert len(read(data)[0]) == 40
    assert {path.name for path in tmp_path.iterdir()} == {"bad.zip", "torn.zip", "good.zip", "root"}
    assert [path.suffix for path in root.iterdir()] == [".npz"]


def test_a_file_in_a_zip_that_unpacks_to_too_much_or_is_locked_is_left_out(tmp_path, monkeypatch):
    path = pack(tmp_path / "x.zip", CLASSED)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/bomb.png", bytes(5000))
    monkeypatch.setattr("dalikit.data.sources.LARGEST", 4000)
    with pytest.warns(UserWarning, match=r"1 of 41 .*bomb\.png: unpacks to 5,000 bytes, more than 4,000"):
        assert len(read(Folder(path=str(path)))[0]) == 40


def parquet(path, column, labels=None, metadata=None):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.table({"image": column} | ({} if labels is None else {"label": labels}))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=7)
    return path


NAMES = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"]}}}})}


@pytest.mark.parametrize("structs", [False, True])
@pytest.mark.parametrize("metadata", [None, NAMES])
def test_parquet_has_pictures_as_bytes_or_structs_and_labels(tmp_path, structs, metadata):
    column = [content(i) for i in range(40)]
    if structs:
        column = [{"bytes": value, "path": f"{i}.png"} for i, value in enumerate(column)]
    path = parquet(tmp_path / "x.parquet", column, [i % 2 for i in range(40)], metadata)
    data = Folder(path=str(path))
    assert data.spec.classes == (("cat", "dog") if metadata else ("0", "1"))
    assert read(data)[0] == {i: data.spec.classes[i % 2] for i in range(40)}
    testing.check_dataset(data)


def test_a_folder_of_parquet_files_and_the_parts_by_their_names(tmp_path):
    spans = {"train": range(40), "validation": range(40, 45), "test": range(45, 50)}
    for part, span in spans.items():
        parquet(tmp_path / "d" / f"{part}-00000-of-00001.parquet", [content(i) for i in span])
        parquet(tmp_path / "e" / part / "0000.parquet", [content(i) for i in span])
    for folder in ("d", "e"):
        assert read(Folder(path=str(tmp_path / folder)))[1] == {i: p for p in PARTS for i in spans[p]}
    for alone in ("train", "train/0000.parquet"):
        assert len(read(Folder(path=str(tmp_path / "e" / alone)))[0]) == 40
    parquet(tmp_path / "test" / "test-0.parquet", [content(i) for i in range(40)])
    assert set(read(Folder(path=str(tmp_path / "test")))[1].values()) == set(PARTS)
    (tmp_path / "d" / "test-00000-of-00001.parquet").rename(tmp_path / "d" / "other.parquet")
    data = Folder(path=str(tmp_path / "d"), channels=1)
    _, parts = read(data)
    assert {i for i, part in parts.items() if part == "test"} == set(spans["validation"])
    assert len(parts) == 45
    assert data.introduction()[1] == "1 files beside those of the parts not read"


@pytest.mark.parametrize("structs", [False, True])
def test_a_damaged_page_is_the_files_fault(tmp_path, structs):
    column = [content(i) for i in range(40)]
    path = parquet(tmp_path / "x.parquet", [{"bytes": c} for c in column] if structs else column)
    whole = bytearray(path.read_bytes())
    whole[4 : len(whole) // 2] = bytes(len(whole) // 2 - 4)
    path.write_bytes(bytes(whole))
    with pytest.raises(UserError, match=r"x\.parquet is no parquet file that can be read: ") as raised:
        Folder(path=str(path)).split("train")
    assert "\n" not in str(raised.value)


def test_labels_that_are_floats_are_the_numbers_they_are(tmp_path):
    labels = [None if i == 39 else float(i % 2) for i in range(40)]
    column = [content(i) for i in range(40)]
    named = Folder(path=str(parquet(tmp_path / "x.parquet", column[:39], labels[:39], NAMES)))
    assert read(named)[0] == {i: ("cat", "dog")[i % 2] for i in range(39)}
    some = Folder(path=str(parquet(tmp_path / "y.parquet", column, labels)), flip=True)
    assert some.introduction()[1] == "No classes, for 1 image of none"


def test_broken_rows_of_files_of_one_name_are_told_apart(tmp_path):
    for folder in "ab":
        parquet(tmp_path / "d" / folder / "x.parquet", [b"torn", *(content(i) for i in range(30))])
    with pytest.warns(UserWarning, match=r"2 of 62 .*a/x\.parquet, row 0.*b/x\.parquet, row 0"):
        Folder(path=str(tmp_path / "d")).split("train")


def test_rows_without_a_picture_are_named_and_other_tables_refused(tmp_path):
    path = parquet(tmp_path / "x.parquet", [None, *(content(i) for i in range(1, 41))])
    with pytest.warns(UserWarning, match=r"1 of 41 .*x\.parquet, row 0: no picture"):
        assert len(read(Folder(path=str(path)))[0]) == 40
    words = parquet(tmp_path / "words.parquet", ["a", "b"])
    with pytest.raises(UserError, match=r"words\.parquet has no column of pictures"):
        Folder(path=str(words)).split("train")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"torn\.parquet is no parquet file that can be read"):
        Folder(path=str(tmp_path / "torn.parquet")).split("train")


def test_without_pyarrow_parquet_is_refused_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"pip install 'dalikit\[parquet\]'$"):
        Folder(path=str(tmp_path / "x.parquet")).split("train")


sizes = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


@given(st.lists(sizes, min_size=1, max_size=30))
def test_a_size_that_nobody_gave_is_a_multiple_of_eight_within_bounds_or_what_all_have(found):
    derived = Survey(found, False).size
    assert derived.reason
    height, width = derived.value if isinstance(derived.value, list) else (derived.value,) * 2
    if len(set(found)) == 1 and min(found[0]) >= 8 and max(found[0]) <= 64:
        assert (width, height) == found[0]
        return
    median = float(np.median([min(size) for size in found]))
    assert min(height, width) == max(8, min(32, 8 * int(median // 8)))
    assert max(height, width) % 8 == 0
    assert max(height, width) <= 64


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ([(28, 28)] * 3, 28),
        ([(50, 37)] * 3, [37, 50]),
        ([(65, 65)] * 3, 32),
        ([(100, 100), (20, 30), (25, 21)], 16),
        ([(600, 400), (300, 200)], [32, 48]),
        ([(400, 600), (200, 300)], [48, 32]),
        ([(600, 400), (400, 600)], 32),
        ([(4000, 100)] * 3, 32),
        ([(5, 5)] * 3, 8),
    ],
)
def test_sizes_that_nobody_gave(found, value):
    assert Survey(found, False).size.value == value


def grey_jpeg(i):
    """Grey, but stored in colour, by a coder that leaves some of it."""
    noise = np.clip(RNG.normal(128, 60, (40, 40)), 0, 255)
    made = io.BytesIO()
    Image.fromarray(noise.astype(np.uint8)).convert("RGB").save(made, "JPEG", quality=20 + i)
    return Image.open(made)


def test_grey_stays_grey_unless_some_are_in_colour(tmp_path):
    assert not any(in_colour(grey_jpeg(i)) for i in range(0, 70, 10))
    tinted = np.full((40, 40, 3), 100, np.uint8)
    tinted[..., 0] += 16
    assert not in_colour(Image.fromarray(tinted))
    tinted[:4, :8, 0] += 1  # two in a hundred
    assert in_colour(Image.fromarray(tinted))
    folder = tmp_path / "a"
    folder.mkdir()
    for i in range(30):
        grey_jpeg(i).save(folder / f"{i}.jpg")
    grey = Folder(path=str(folder))
    assert grey.spec.x_shape == (1, 40, 40)
    assert grey.settled["channels"].reason == "no picture is in colour"
    (folder / "z.png").write_bytes(content(3))
    assert Folder(path=str(folder)).spec.x_shape[0] == 3


def test_what_was_settled_is_told_until_it_is_given(tmp_path):
    path = fill(tmp_path / "a", CLASSED)
    free = Folder(path=str(path))
    assert {name: derived.value for name, derived in free.settled.items()} == {"size": 12, "channels": 3}
    given = Folder(path=str(path), size=12, channels=3)
    assert given.settled == {}
    assert given.spec == free.spec
    assert given.path == free.path
    assert given.fitting == free.fitting


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
def test_pictures_that_are_not_square_are_fitted_as_asked(tmp_path, how):
    folder = tmp_path / "a"
    folder.mkdir()
    for i in range(30):
        image = np.zeros((20, 40, 3), np.uint8)
        image[:, :10] = (200, i, 0)
        Image.fromarray(image).save(folder / f"{i}.png")
    data = Folder(path=str(folder), size=(16, 24), how=how)
    x, _ = data.split("train").take(torch.arange(9), torch.Generator())
    assert x.shape == (9, 3, 16, 24)
    red = x[:, 0, 8].float().mean(0)
    share = {"crop": 4, "pad": 6, "stretch": 6}[how]  # of 24 columns: 30 of 40 are kept, or all
    assert int((red > 100).sum()) == share
    assert bool((x[:, :, 0] == 255).all()) == (how == "pad")
    made = {"crop": "centre-cropped", "pad": "padded with white", "stretch": "stretched"}[how]
    assert f"; 40×20, {made} and resized to 24×16" in data.introduction()[0]


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(st.sampled_from(["crop", "pad", "stretch"]), st.lists(shapes, min_size=1, max_size=3), shapes)
def test_enlarged_are_those_of_which_a_pixel_becomes_more(how, found, wanted):
    wide, high = wanted
    data = Folder(path="x", size=(high, wide), how=how, channels=3, flip=True)
    data._arrays = {"sizes": np.array(found), "sound": np.ones(len(found), bool)}
    data._source = SimpleNamespace(classes=(), entries=[], passed_over=())
    expected = 0
    for width, height in found:
        seen = {
            "stretch": (wide / width, high / height),
            "crop": (max(wide / width, high / height),),  # the shorter side fills the picture
            "pad": (min(wide / width, high / height),),  # the longer one lies within it
        }[how]
        expected += any(factor > 1 for factor in seen)
    assert ("; ".join(data._remarks({})).split(" enlarged")[0].strip("; ") or "0") == str(expected)


def test_what_is_not_read_is_said(tmp_path):
    names = [f"{('train', 'test')[i % 2]}/{i:02d}.png" for i in range(60)]
    folder = fill(tmp_path / "a", [*names, "extra/60.png", "61.png"])
    for name in ("train/x.heic", "test/y.HEIC", "z.jxl", "movie.mpg", "data.h5", "x.wmf", "readme.txt"):
        (folder / name).write_text("x")
    data = Folder(path=str(folder), channels=1)
    assert len(read(data)[0]) == 60
    assert data.introduction()[1] == (
        "2 beside the folders of the parts not read; 2 .heic not read: save them as JPEG or PNG; "
        "1 .jxl not read: save them as JPEG or PNG"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (
            "x.parquet",
            r"too few images \(30 \.parquet not read: name one itself, or a folder of them\): 1 data, 20",
        ),
        ("x.heic", r"too few images \(30 \.heic not read: save them as JPEG or PNG\): 1 data, 20 at least"),
    ],
)
def test_too_few_images_beside_what_is_not_read(tmp_path, name, says):
    folder = fill(tmp_path / "a", ["logo.png"])
    for i in range(30):
        (folder / f"{i}{name}").write_text("x")
    with pytest.raises(UserError, match=says):
        Folder(path=str(folder)).split("train")


def test_enlarging_and_what_is_left_out_are_said(tmp_path):
    folder = fill(tmp_path / "a", CLASSED)
    (folder / "cat" / "torn.png").write_text("x")
    data = Folder(path=str(folder), size=16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        line, more = data.introduction()
    assert line.endswith("; 12×12, enlarged to 16×16; 1 skipped")
    assert more.startswith("40 enlarged; ")
    assert data.details()["left out"] == "cat/torn.png: not an image file, or damaged"
    assert data.details()["shorter sides"] == "8–15: 40"
