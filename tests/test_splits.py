"""Parts by a hash of content: the same whatever the order and the company, about 81 / 9 / 10 %."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalikit.data.splits import PARTS, check_count, check_parts, digests, divide
from dalikit.errors import UserError

MANY = np.random.default_rng(0).integers(0, 256, (4000, 3, 3)).astype(np.uint8)


def parts_of(rows, seed=0, test_given=False):
    given = 2 * (np.arange(len(rows) + 9) >= len(rows))
    found = divide(
        digests(np.concatenate([rows, rows[:1].repeat(9, 0)]) if test_given else rows),
        seed,
        given if test_given else None,
    )
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(rows) + 9 * test_given))
    parts = np.full(len(rows), 9)
    for number, part in enumerate(PARTS):
        own = found[part]
        parts[own[own < len(rows)]] = number
    return parts


def by_hand(row, seed):
    content = blake2b(row.tobytes(), digest_size=16).digest()
    number = blake2b(content, digest_size=8, salt=seed.to_bytes(16, "little")).digest()
    share = int.from_bytes(number, "little") / 2**64
    return "test" if share < 0.1 else "validation" if share < 0.19 else "train"


@pytest.mark.parametrize("seed", [0, 7])
def test_parts_follow_the_stated_shares(seed):
    found = parts_of(MANY, seed)
    assert [PARTS[part] for part in found] == [by_hand(row, seed) for row in MANY]
    shares = np.bincount(found, minlength=3) / len(MANY)
    np.testing.assert_allclose(shares, [0.81, 0.09, 0.1], atol=5 * 0.4 / len(MANY) ** 0.5)


def test_beside_a_test_part_a_tenth_is_the_validation_part():
    found = parts_of(MANY, test_given=True)
    assert set(found) == {0, 1}
    assert abs((found == 1).mean() - 0.1) < 5 * 0.3 / len(MANY) ** 0.5
    assert [part == 1 for part in found] == [by_hand(row, 0) == "test" for row in MANY]


def test_parts_that_are_given_stay_and_the_other_is_made_of_the_rest():
    for decree in (np.arange(4000) % 2, np.arange(4000) % 3):
        found = divide(digests(MANY), 0, decree)
        parts = np.full(4000, 9)
        for number, part in enumerate(PARTS):
            parts[found[part]] = number
        missing = 2 if decree.max() == 1 else None
        for row, part, own in zip(MANY, parts, decree, strict=True):
            assert part == (own or (missing if missing and by_hand(row, 0) == "test" else 0))


@given(st.integers(0, 2**32), st.integers(100, 300))
def test_no_order_and_no_datum_that_is_added_moves_another(seed, count):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, 4)).astype(np.uint8)
    before, more = parts_of(rows, seed), parts_of(np.concatenate([MANY.reshape(-1, 4)[:50], rows]), seed)
    if {0, 1, 2} <= set(before):
        np.testing.assert_array_equal(more[50:], before)
    order = rng.permutation(count)
    np.testing.assert_array_equal(parts_of(rows[order], seed), before[order])


@given(st.lists(st.integers(0, 30), min_size=3, max_size=60), st.integers(0, 9), st.booleans())
def test_twins_lie_on_one_side_and_no_other_part_is_empty(values, seed, test_given):
    rows = np.array(values, np.uint8)[:, None]
    found = parts_of(rows, seed, test_given)
    sides = {}
    for value, part in zip(values, found, strict=True):
        assert sides.setdefault(value, part) == part
    if 0 in found:  # else too few of them differ, which is refused
        assert set(found) == set(range(2 if test_given else 3))
    else:
        assert len(set(values)) < 20


def test_another_seed_divides_otherwise():
    assert 0.6 < (parts_of(MANY, 0) == parts_of(MANY, 1)).mean() < 0.8  # 0.81² + 0.09² + 0.1² = 0.67


@pytest.mark.parametrize("dtype", [">f4", "<f4"])
def test_the_byte_order_of_numbers_is_not_their_content(dtype):
    rows = np.random.default_rng(0).random((200, 5), np.float32)
    np.testing.assert_array_equal(parts_of(rows.astype(dtype)), parts_of(rows))


def test_too_few_data_and_data_that_are_all_alike():
    with pytest.raises(UserError, match="here: 19 data, 20 at least are needed"):
        check_count("here", 19)
    check_count("here", 20)
    alike = divide(digests(np.zeros((30, 2), np.uint8)), 0)
    with pytest.raises(UserError, match="here: nothing is left for the train part: its 30 data are too"):
        check_parts("here", alike)
    check_parts("here", divide(digests(np.arange(30, dtype=np.uint8)[:, None]), 0))


def test_the_first_of_a_part_are_any_of_it_however_the_data_lay():
    rows = np.sort(MANY.reshape(-1, 9), 0)  # as data are that are sorted by class
    found = divide(digests(rows), 0)
    order = np.random.default_rng(1).permutation(len(rows))
    again = divide(digests(rows[order]), 0)
    for part in PARTS:
        np.testing.assert_array_equal(rows[found[part]], rows[order][again[part]])
        first = found[part][: len(found[part]) // 4]
        assert abs(first.mean() / len(rows) - 0.5) < 5 * 0.29 / len(first) ** 0.5
