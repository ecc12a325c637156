from types import SimpleNamespace

import numpy as np
import pytest
from videos import write_video

from h5vidstack.sources.openers import open_source
from h5vidstack.sources.source import SourceOptions
from h5vidstack.sources.video.streams import choose_stream
from h5vidstack.sources.video.video_samples import VideoSamples


def whole(name, **options):
    return np.concatenate(list(open_source(name, SourceOptions(**options)).batches(16)))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_runs_are_frames_of_the_film(tmp_path, name, share):
    path = tmp_path / name
    write_video(path, 60, (48, 64), gop=12)
    frames = whole(path, gray=True)
    source = open_source(path, SourceOptions(gray=True))
    assert source.likely_count() == 60
    run = source.sample_run(share, 5)
    assert 1 <= len(run) <= 5
    starts = [start for start in range(60) if np.array_equal(frames[start : start + len(run)], run)]
    assert any(abs(start - share * 55) <= 14 for start in starts)


def test_what_cannot_be_sought_is_read_from_the_start(tmp_path):
    path = tmp_path / "v.h264"
    write_video(path, 30, (48, 64))
    samples = VideoSamples(path, choose_stream(path, None))
    assert samples.likely_count() is not None
    source = open_source(path, SourceOptions(gray=True))
    first = source.sample_run(0.9, 6)
    assert len(first) == 6


def test_key_frames_that_need_frames_before_them_are_not_used(tmp_path, monkeypatch):
    path = tmp_path / "v.mp4"
    write_video(path, 60, (48, 64), gop=12)
    samples = VideoSamples(path, choose_stream(path, None))

    class Corrupt:
        is_corrupt, key_frame = True, True

    class Container:
        def __init__(self):
            context = SimpleNamespace()
            self.streams = [
                SimpleNamespace(codec_context=context, start_time=0, duration=100, time_base=1)
            ]

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

        def seek(self, *_, **__):
            pass

        def decode(self, _):
            return iter([Corrupt()])

    # The files that have such key frames are of encoders that are not at hand.
    monkeypatch.setattr(
        "h5vidstack.sources.video.video_samples.open_video", lambda _path: Container()
    )
    assert samples.run(0.5, 4, luma=True) == []
    assert samples.run(0.1, 4, luma=True) == []
