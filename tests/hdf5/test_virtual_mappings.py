import h5py
import numpy as np
from frames import moving, noise

import h5vidstack
from h5vidstack.hdf5 import virtual


def test_too_many_mappings(monkeypatch):
    frames = noise((60, 7, 9))
    monkeypatch.setattr(virtual, "MAX_MAPPINGS", 10)
    h5vidstack.pack(moving((60, 9, 9))[:9], "few.h5", method="groupvideo")
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    with h5py.File("x.h5") as file:
        assert "frames" not in file["stack"]
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], frames)
        assert stack.verify() == []
    monkeypatch.setattr(virtual, "MAX_MAPPINGS", 100)
    assert h5vidstack.verify("x.h5") == ["frames is missing"]


def test_places_of_other_virtual_datasets():
    h5vidstack.pack(noise((20, 7, 9)), "x.h5", method="groupvideo")
    with h5py.File("x.h5", "r+") as file:
        video = file["stack/groups/000000/video"]
        videos = [virtual.MappedDataset(".", video.name, video.shape)]
        assert virtual.places(video, videos) is None
        for name, part in {"a": np.s_[:5], "b": np.s_[3:9, 1:]}.items():
            source = h5py.VirtualSource(video)[part]
            layout = h5py.VirtualLayout((20, *source.shape[1:]), np.uint8)
            layout[: len(source.shape) and source.shape[0]] = source
            file.create_virtual_dataset(name, layout)
        group, position = virtual.places(file["a"], videos)
        assert position.tolist() == [*range(5), *[-1] * 15]
        assert group.tolist() == [0] * 5 + [-1] * 15
        assert virtual.places(file["b"], videos) is None
