"""What is sound is kept, of several things that are not; see also `test_metadata_reading`."""

import h5py
import numpy as np
from frames import moving

import h5vidstack
from h5vidstack.layout.metadata_checks import sound_metadata
from h5vidstack.layout.stack_group import open_layout
from h5vidstack.metadata.description import Metadata
from h5vidstack.metadata.files import SourceFiles
from h5vidstack.metadata.words import Words, WordsKind
from h5vidstack.sources.openers import open_source

FRAMES = moving((4, 8, 9))


def pack():
    source = open_source(FRAMES)
    names = [f"{number}.png" for number in range(4)]
    for name in names:
        open(name, "wb").close()
    of = np.array([0, 1, 2, 1], np.uint32)
    values = [np.random.default_rng(value).bytes(900_000) for value in range(3)]
    source.metadata = Metadata(
        words={"blob": Words(WordsKind.BYTES, values, of), "all": Words.whole(WordsKind.TEXT, "x")},
        files=SourceFiles.of(names),
    )
    h5vidstack.pack(source, "x.h5", coords={"t": np.arange(4.0) / 7}, attrs={"a": 1})
    return values


def sound():
    with h5py.File("x.h5") as file:
        return sound_metadata(open_layout(file, "/stack"))


def test_all_is_sound():
    values = pack()
    with h5py.File("x.h5") as file:
        metadata, notes = sound_metadata(open_layout(file, "/stack"))
        assert notes == []
        assert metadata.dims == ("frame", "y", "x")
        assert list(metadata.words["blob"].values) == values
        assert metadata.attrs == {"a": 1}
        assert [record.path for record in metadata.files] == ["0.png", "1.png", "2.png", "3.png"]


def test_a_page_of_words_is_damaged():
    values = pack()
    with h5py.File("x.h5", "r+") as file:
        data = file["stack/source/blob/data"]
        place = data.id.get_chunk_info_by_coord((0,))
    with open("x.h5", "r+b") as file:
        file.seek(place.byte_offset + 500)
        file.write(b"spoilt")
    problems = h5vidstack.verify("x.h5")
    assert len(problems) == 1
    assert "2 of 3 values of the source's blob: " in problems[0]
    recovered = h5vidstack.recover("x.h5", "saved.h5")
    assert any("2 of 3 values of the source's blob: " in note for note in recovered.notes)
    with h5vidstack.open("saved.h5") as stack:
        assert stack.verify() == []
        words = stack.source.words
        assert [words["blob"][frame] for frame in range(4)] == [None, None, values[2], None]
        assert words["all"].value == "x"
        np.testing.assert_array_equal(stack.coords["t"], np.arange(4.0) / 7)
        assert stack.names.tolist() == ["0.png", "1.png", "2.png", "3.png"]


def test_files_that_do_not_fit():
    pack()
    with h5py.File("x.h5", "r+") as file:
        files = file["stack/source/files"]
        for name in ("path", "size", "modified", "sha256"):
            values = files[name][:3]
            del files[name]
            files[name] = values
    _, notes = sound()
    assert notes == ["the table of source files has 3 files for 4 frames"]
    h5vidstack.recover("x.h5", "saved.h5")
    with h5vidstack.open("saved.h5") as stack:
        assert stack.verify() == []
        assert stack.source.file(2).path == "2.png"
        assert stack.source.file(3) is None


def test_frames_that_are_lost_take_their_metadata_along():
    frames = np.random.default_rng(0).integers(0, 255, (40, 16, 16), np.uint8)
    h5vidstack.pack(frames, "y.h5", method="video", chunk_frames=8, coords={"t": np.arange(40)})
    with h5py.File("y.h5") as file:
        place = file["stack/frames"].id.get_chunk_info_by_coord((8, 0, 0))
    with open("y.h5", "r+b") as file:
        file.seek(place.byte_offset + 4)
        file.write(b"\0" * (place.size - 8))
    found = h5vidstack.recover("y.h5", "saved.h5")
    assert found.lost == tuple(range(8, 16))
    with h5vidstack.open("saved.h5") as stack:
        assert stack.coords["t"].values.tolist() == [*range(8), *range(16, 40)]
        assert stack.verify() == []


def test_no_byte_is_changed_without_a_word():
    """Of the bytes of a small file each one that is changed is told, or changes nothing."""
    pack()
    source = open_source(FRAMES)
    of = np.arange(4, dtype=np.uint32) % 2
    source.metadata = Metadata(words={"said": Words(WordsKind.TEXT, [b"odd", b"even"], of)})
    h5vidstack.pack(source, "z.h5", coords={"t": np.arange(4) / 7, "z": ["a", "b", "c", "d"]})

    def everything(path):
        with h5vidstack.open(path) as stack:
            metadata = stack.metadata
            coords = {
                name: (found.values.tolist(), dict(found.attrs))
                for name, found in metadata.coords.items()
            }
            words = {name: [said[i] for i in range(4)] for name, said in metadata.words.items()}
            return metadata.dims, coords, dict(metadata.attrs), words

    good = everything("z.h5")
    with open("z.h5", "rb") as file:
        data = file.read()
    told = 0
    for place in range(0, len(data), 101):
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << place % 8
        with open("spoilt.h5", "wb") as file:
            file.write(spoilt)
        try:
            found = everything("spoilt.h5")
        except h5vidstack.Error:
            told += 1
            continue
        assert found == good, place
    assert told > 20
