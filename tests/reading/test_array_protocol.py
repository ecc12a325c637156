"""numpy's operators, ufuncs and reductions of a stack give what they give of an array."""

import operator
import tracemalloc

import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.reading import array_protocol, stack_reader

DTYPES = ["?", "u1", "i2", "u8", "f2", "f4", "f8"]


def frames(dtype, shape=(23, 6, 7)):
    values = moving(shape).astype(np.float64) - (100 if np.dtype(dtype).kind in "if" else 0)
    return (values > 90) if dtype == "?" else values.astype(dtype)


@pytest.fixture(autouse=True)
def _few_frames_at_a_time(monkeypatch):
    monkeypatch.setattr(stack_reader, "PART_BYTES", 0)
    monkeypatch.setattr(stack_reader, "WINDOW_BYTES", 0)


def packed(array, **options):
    h5vidstack.pack(array, "x.h5", overwrite=True, chunk_frames=4, **options)
    return h5vidstack.open("x.h5")


def same(found, want, rounding=0):
    assert type(found) is type(want)
    if rounding:
        np.testing.assert_allclose(found, want, rtol=rounding)
        assert found.dtype == want.dtype
    else:
        np.testing.assert_array_equal(found, want, strict=True)


OPERATORS = [
    operator.eq, operator.ne, operator.lt, operator.ge, operator.add, operator.sub, operator.mul,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # overflows, as in numpy
@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_operators(dtype):
    array = frames(dtype)
    others = [3, 2.5, np.float64(7), array[4], array[:, :1], array[::-1].copy(), array[:1], [1] * 7]
    with packed(array) as stack:
        for apply in OPERATORS:
            for other in others:
                same(apply(stack, other), apply(array, other))
                if not isinstance(other, list):
                    same(apply(other, stack), apply(other, array))
        same(-stack, -array)
        same(abs(stack), abs(array))
        for one, other in zip(divmod(stack, 3), divmod(array, 3), strict=True):
            same(one, other)
        same(stack + array[np.newaxis, 0, 0], array + array[np.newaxis, 0, 0])
        larger = np.ones((2, *array.shape), dtype)
        same(stack * larger, array * larger)


def test_comparisons_with_what_is_no_number():
    array = frames("u1")
    with packed(array) as stack:
        for other in (None, "text"):
            same(stack == other, array == other)
            same(stack != other, array != other)
        assert int(array[3, 4, 5]) in stack
        assert 255.5 not in stack
        with pytest.raises(TypeError):
            stack < "text"  # noqa: B015
        with pytest.raises(ValueError, match="broadcast"):
            stack + np.ones((4, 4))


def test_stacks_are_equal_by_identity():
    array = frames("u1")
    with packed(array) as one, h5vidstack.open("x.h5") as two:
        assert (one == two) is True
        assert (one != two) is False
        assert hash(one) == hash(two)
        same(np.equal(one, two), np.ones(array.shape, bool))
        assert np.array_equal(one, two)
        same(one + two, array + array)


REDUCTIONS = ["sum", "prod", "min", "max", "any", "all", "mean", "var", "std"]
AXES = [None, 0, 1, -1, (0, 1), (1, 2), (0, 1, 2), (-1, 0)]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, dtype):
    array = frames(dtype)
    rounding = {"f2": 4e-3, "f4": 1e-4}.get(dtype, 1e-9) * (
        name not in ("min", "max", "any", "all")
    )
    with packed(array) as stack:
        for axis in AXES:
            for keepdims in (False, True):
                found = getattr(np, name)(stack, axis=axis, keepdims=keepdims)
                if dtype == "f2" and rounding:  # numpy rounds and overflows on the way
                    want = getattr(array.astype("f8"), name)(axis=axis, keepdims=keepdims)
                    want = np.asarray(want).astype("f2")[()]
                else:
                    want = getattr(np, name)(array, axis=axis, keepdims=keepdims)
                same(found, want, rounding)
        same(getattr(stack, name)(), getattr(np, name)(stack))


@pytest.mark.parametrize("name", ["argmin", "argmax"])
def test_where_the_extremes_are(name):
    array = frames("f4")
    array[9:15, 2, 3] = 300, 300, -300, -300, np.nan, np.nan
    with packed(array) as stack:
        for axis in (None, 0, 1, -1):
            same(getattr(np, name)(stack, axis=axis), getattr(np, name)(array, axis=axis))
            kept = {"axis": axis, "keepdims": True}
            same(getattr(np, name)(stack, **kept), getattr(np, name)(array, **kept))


def test_options_that_take_the_whole_array():
    array = frames("u1")
    mask = array > 90
    out = np.zeros(array.shape[1:])
    with packed(array) as stack:
        same(stack.sum(where=mask, initial=3), array.sum(where=mask, initial=3))
        same(stack.mean(axis=0, out=out), array.mean(axis=0))
        same(np.add(stack, 1, where=mask, out=np.zeros_like(array)),
             np.add(array, 1, where=mask, out=np.zeros_like(array)))  # fmt: skip
        same(np.add.accumulate(stack), np.add.accumulate(array))
        same(np.subtract.reduce(stack), np.subtract.reduce(array))
        same(stack.std(ddof=1), array.std(ddof=1), 1e-12)
        same(stack.sum(dtype="f4"), array.sum(dtype="f4"))
        same(np.matmul(stack, np.ones((7, 2))), np.matmul(array, np.ones((7, 2))))
        same(np.median(stack, axis=0), np.median(array, axis=0))
        same(np.concatenate([stack, stack]), np.concatenate([array, array]))
        total = np.ones(array.shape)
        total += stack
        same(total, array + 1.0)


def test_nothing_writes_to_a_stack():
    with packed(frames("u1")) as stack:
        for work in (lambda: np.add(stack, 1, out=stack), lambda: np.add.at(stack, 0, 1)):
            with pytest.raises(TypeError, match=r"np.asarray\(stack\)"):
                work()
        with pytest.raises(TypeError, match="np.asarray"):
            stack += 1


def test_axes_that_are_not_there():
    with packed(frames("u1")) as stack:
        for axis in (3, -4, (0, 0), "x"):
            with pytest.raises((ValueError, TypeError)):
                stack.sum(axis=axis)
            with pytest.raises((ValueError, TypeError)):
                stack.mean(axis=axis)


@pytest.mark.parametrize("dtype", ["?", "i4", "f4"])
def test_astype(dtype):
    array = frames("u1")
    with packed(array) as stack:
        same(stack.astype(dtype), array.astype(dtype))
        with pytest.raises(TypeError):
            stack.astype("i1", casting="safe")


def test_colour():
    array = frames("u1", (9, 5, 6, 3))
    with packed(array) as stack:
        same(stack.mean(axis=(0, 1, 2)), array.mean(axis=(0, 1, 2)), 1e-12)
        same(stack * np.float32([1, 2, 3]), array * np.float32([1, 2, 3]))


def test_reductions_keep_little_in_memory():
    array = np.zeros((64, 128, 256), "u1")
    with packed(array) as stack:
        stack.sum()
        tracemalloc.start()
        assert stack.max(axis=0).shape == (128, 256)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < array.nbytes / 2
    assert array_protocol.ArrayProtocol in h5vidstack.Stack.__mro__
