from dataclasses import replace

import av
import numpy as np
import pytest
from blocks import U1, whole
from frames import moving
from videos import access_units, write_video

from h5vidstack import BlockError
from h5vidstack.codecs import block, h264
from h5vidstack.codecs.block_format import parse, seal
from h5vidstack.codecs.recipe import Recipe


def test_packets_are_a_plain_h264_stream(tmp_path):
    frames = moving((10, 64, 80))
    parsed = parse(block.encode(frames, Recipe()), whole(frames), U1)
    (tmp_path / "x.264").write_bytes(b"".join(parsed.streams[0].packets))
    with av.open(str(tmp_path / "x.264")) as container:
        decoded = [frame.to_ndarray()[:64] for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(decoded), frames)


def test_a_packet_of_many_slices_is_refused():
    """Each can decode the whole picture: 110 KB of them took half a minute."""
    frames = moving((2, 64, 64))
    parsed = parse(block.encode(frames, Recipe()), whole(frames), U1)
    stream = parsed.streams[0]
    for times in (15, 16):
        many = [stream.packets[0], bytes(stream.packets[1]) + b"\0\0\1\x0b" * times]
        data = seal(replace(parsed, streams=[replace(stream, packets=many)]), U1)
        if times == 15:
            block.decode(data, whole(frames), U1)
            continue
        with pytest.raises(BlockError, match="more than 16 NAL units"):
            block.decode(data, whole(frames), U1)


def test_the_version_of_the_encoder():
    write_video("v.h264", count=2)
    first = next(access_units("v.h264"))
    versions = list(filter(None, map(h264.encoder_version, h264.units(first))))
    assert len(versions) == 1
    assert b"x264 - core " in versions[0]
    assert len(versions[0]) < 40
    assert versions == list(map(h264.encoder_version, versions))


def test_entries():
    write_video("v.h264", count=21, gop=8, bf="2", params="repeat-headers=1")
    packets = list(access_units("v.h264"))
    assert h264.entries(packets) == [0, 8, 16]
    bare = [h264.without(packet, (h264.SPS, h264.PPS)) for packet in packets]
    assert h264.entries(bare) == []
    assert [h264.begins_gop(packet) for packet in bare] == [n % 8 == 0 for n in range(21)]
    assert not h264.begins_gop(b"")
