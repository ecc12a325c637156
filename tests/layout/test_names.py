from pathlib import Path

import pytest

from h5vidstack.layout.names import split_target


@pytest.mark.parametrize(
    ("target", "file", "inner"),
    [
        ("a.h5", "a.h5", None),
        ("a.h5::", "a.h5", "/"),
        ("a.h5::x/y/", "a.h5", "/x/y"),
        ("a.h5::/x::y", "a.h5", "/x::y"),
        ("there/a.h5::/x", "there/a.h5", "/x"),
        ("there::2/new.h5", "there::2/new.h5", None),
        ("there::2/new.h5::/x", "there::2/new.h5", "/x"),
        ("there::2::/x", "there::2", "/x"),
        ("e::f.h5::/x", "e::f.h5", "/x"),
    ],
)
def test_where_a_target_is_split(target, file, inner):
    Path("there").mkdir()
    Path("there::2").mkdir()
    Path("e::f.h5").touch()
    assert split_target(target) == (Path(file), inner)
