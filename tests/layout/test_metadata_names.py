"""Names of users in the file, and back."""

import pytest

from h5vidstack.layout.metadata_names import stored_name, user_name


@pytest.mark.parametrize("name", ["a/b", "%", "..", "frames", "frames__", "a\n", "\udcff", "é"])
def test_names(name):
    stored = stored_name(name)
    assert user_name(stored.decode()) == name
    assert b"/" not in stored
