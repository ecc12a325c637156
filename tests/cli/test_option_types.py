import click
import pytest

from h5vidstack.cli.option_types import Bytes, Frames, Methods, Pair


def converted(kind, value):
    return kind.convert(value, None, None)


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        (Pair(2), "8x16", (8, 16)), (Pair(2), "8X16", (8, 16)), (Pair(2), "8", (8, 8)),
        (Pair(3), "7", (7, 7, 7)), (Pair(3), "20x1x3", (20, 1, 3)), (Pair(2), (3, 4), (3, 4)),
        (Pair(2, none=True), "none", (0, 0)), (Pair(1, none=True), "5", (5,)),
        (Bytes(), "0", 0), (Bytes(), "1234", 1234), (Bytes(), 77, 77), (Bytes(), "2k", 2048),
        (Bytes(), "500M", 500 << 20), (Bytes(), "16GiB", 16 << 30), (Bytes(), "1.5tb", 3 << 39),
        (Bytes(), "0.3k", 307), (Bytes(), "12b", 12),
        (Frames(), "10:20:2", slice(10, 20, 2)), (Frames(), ":", slice(None, None)),
        (Frames(), "-5:", slice(-5, None)), (Frames(), "::-1", slice(None, None, -1)),
        (Frames(), "17", [17]), (Frames(), "1,5,-9", [1, 5, -9]),
        (Methods(), "auto, hdf5,", ["auto", "hdf5"]), (Methods(), "SZ3", ["SZ3"]),
    ],
)  # fmt: skip
def test_what_is_understood(kind, value, wanted):
    assert converted(kind, value) == wanted


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (Pair(2), "none", "of the form NxN with numbers above 0"), (Pair(2), "0", "above 0"),
        (Pair(2), "1x2x3", "NxN"), (Pair(3), "1x2", "NxNxN"), (Pair(2), "8x-1", "above 0"),
        (Pair(2), "", "NxN"), (Pair(2), "8x", "NxN"), (Pair(2), "1.5", "NxN"),
        (Bytes(), "12X", "is not a size; write 500M"), (Bytes(), "-1", "is not a size"),
        (Bytes(), "", "is not a size"), (Bytes(), "1e3", "is not a size"),
        (Bytes(), "k", "is not a size"),
        (Frames(), "1:2:0", "is not of the form 10:20"), (Frames(), "a", "10:20"),
        (Frames(), "1:2:3:4", "10:20"), (Frames(), "", "10:20"), (Frames(), "1,,2", "10:20"),
        (Frames(), "1.5", "10:20"),
        (Methods(), "zip", "did you mean 'gzip'"), (Methods(), " , ", "names no method"),
    ],
)  # fmt: skip
def test_what_is_refused_says_what_would_do(kind, value, words):
    with pytest.raises(click.BadParameter, match=words):
        converted(kind, value)
