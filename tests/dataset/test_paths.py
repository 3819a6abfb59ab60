import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderate_cli.dataset import paths as module
from moderate_cli.dataset.paths import Paths, encode_paths, same_paths
from moderate_cli.errors import OutputError

NAMES = st.binary(min_size=1).map(
    lambda name: name.replace(b"\0", b"_").decode(errors="surrogateescape")
)


@given(st.lists(NAMES), st.integers(1, 4), st.integers(1, 9))
def test_paths_of_any_bytes_survive(names, at_once, scanned):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "AT_ONCE", at_once)
        patch.setattr(module, "SCANNED_AT_ONCE", scanned)
        for nul in (None, True):
            packed = Paths(encode_paths(names, nul=nul))
            assert list(packed) == names
            assert len(packed) == len(names)
            assert [packed[row] for row in range(-len(names), len(names))] == [*names, *names]
            assert packed[1:-1] == names[1:-1]


@pytest.mark.parametrize("nul", [False, True])
def test_slices_are_those_of_a_list(nul):
    names = ["a", "", "long name", "\udcff", "e"]
    paths = Paths(encode_paths(names, nul=nul))
    for place in (slice(None), slice(0, 2), slice(1, 4), slice(4, 5), slice(3, 3), slice(4, 1)):
        assert paths[place] == names[place]
    assert paths[::2] == names[::2]
    assert paths[::-1] == names[::-1]
    assert Paths(b"")[:] == []


def test_a_row_that_is_not_there_is_an_error():
    packed = Paths.of(["a", "b"])
    for row in (2, -3):
        with pytest.raises(IndexError):
            packed[row]


def test_lists_are_equal_if_their_paths_are():
    assert Paths.of(["a", "b"]) == Paths.of(iter(["a", "b"]))
    assert Paths.of(["a", "b"]) != Paths.of(["a\nb"])
    assert Paths.of([]) == Paths.of([])


def test_a_newline_in_a_name_is_an_error_without_nul():
    with pytest.raises(OutputError) as caught:
        encode_paths(["cat/a\nb.jpg"], nul=False)
    assert str(caught.value) == "cat/a\\nb.jpg: contains a newline; use -0 to end names with NUL"


@given(st.lists(NAMES, unique=True), st.lists(NAMES, unique=True))
def test_paths_of_two_lists_are_found_in_both(one, other):
    other += one[::2]
    other = list(dict.fromkeys(other))
    rows, places = same_paths(Paths.of(one), Paths.of(other))
    assert [one[row] for row in rows] == [name for name in one if name in other]
    assert [other[place] for place in places] == [one[row] for row in rows]
