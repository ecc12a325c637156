import pytest
from damaging import FRAMES, check, chunks, damage

import h5vidstack


@pytest.mark.parametrize(
    "tables",
    [
        ["index/group"],
        ["index/position", "groups/000000/members"],
        ["index/crc32"],
        ["hashes/phash"],
        ["index/group", "hashes/ahash", "groups/000000/members"],
    ],
)
def test_damaged_tables(tables):
    h5vidstack.pack(FRAMES, "bad.h5", method="groupvideo")
    for name in tables:
        ((start, length),) = chunks(name)
        damage(start + length // 2)
    found = check([])
    assert found.notes
