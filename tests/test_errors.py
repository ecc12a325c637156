import errno
import pickle

import pytest

import h5vidstack
from h5vidstack import errors

EVERY = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.Error)
]


@pytest.mark.parametrize("error", EVERY)
def test_users_can_name_every_error(error):
    assert getattr(h5vidstack, error.__name__) is error
    assert error.__doc__


@pytest.mark.parametrize("error", [error for error in EVERY if error is not errors.AccessError])
def test_errors_come_back_whole_from_another_process(error):
    found = pickle.loads(pickle.dumps(error("what is wrong")))
    assert (type(found), str(found)) == (error, "what is wrong")


def test_what_the_system_refuses_has_its_number():
    made = errors.AccessError("a/x.h5", errno.ENOSPC, "make room")
    assert isinstance(made, OSError)
    for error in (made, pickle.loads(pickle.dumps(made))):
        assert str(error) == "a/x.h5 cannot be used: No space left on device (ENOSPC); make room"
        assert (error.errno, error.filename) == (errno.ENOSPC, "a/x.h5")
        assert error.strerror == "No space left on device"


def test_pythons_own_kinds_catch_them():
    for error, kind in (
        (errors.SelectionError, IndexError),
        (errors.ClosedError, ValueError),
        (errors.MissingError, ImportError),
    ):
        with pytest.raises(kind):
            raise error("x")


def test_a_package_that_is_missing_is_named_with_its_extra():
    with pytest.raises(h5vidstack.MissingError) as caught, errors.extra("dask"):
        import no_such_package_at_all  # noqa: F401
    assert str(caught.value) == (
        "No module named 'no_such_package_at_all': pip install \"h5vidstack[dask]\""
    )
    with pytest.raises(ZeroDivisionError), errors.extra("dask"):
        1 / 0
