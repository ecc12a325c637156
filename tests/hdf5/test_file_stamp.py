import os
from pathlib import Path

from h5vidstack.hdf5.file_stamp import Stamp, changed_words, of_description, of_status


def test_a_file_has_the_stamp_of_its_size_and_time():
    Path("x").write_bytes(b"abc")
    before = of_status(os.stat("x"))
    assert before.is_of(os.stat("x"))
    os.utime("x", ns=(1, 5))
    assert not before.is_of(os.stat("x"))
    after = of_status(os.stat("x"))
    assert before.size == 3
    assert before.difference(before) is None
    assert before.difference(after).endswith("and is 5 ns")
    assert before.difference(Stamp(4)) == "it had 3 bytes and has 4"


def test_only_what_both_say_is_compared():
    opened = of_description({"ETag": 'W/"1"', "Last-Modified": "Monday", "type": "file"}, 10)
    assert opened == Stamp(10, (("ETag", '"1"'), ("Last-Modified", "Monday")))
    assert opened.difference(of_description({"ETag": '"1"'}, None)) is None
    assert opened.difference(of_description({"ETag": '"2"'}, 10)) == 'its ETag was "1" and is "2"'
    assert opened.difference(Stamp(10)) is None
    assert Stamp(None).difference(opened) is None


def test_the_words_name_the_file_and_the_cure():
    assert changed_words("x.h5", "it had 3 bytes and has 4") == (
        "x.h5 has changed since it was opened: it had 3 bytes and has 4; open it again (or call "
        "Stack.refresh if frames were added)"
    )
