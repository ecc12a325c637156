import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from frames import moving, noise

import h5vidstack
from h5vidstack.codecs import block

FRAMES = np.concatenate(
    [moving((44, 20, 30)), noise((20, 20, 30)) // 2, moving((44, 20, 30))[10:14]]
)


class Stopped(Exception):
    """Somebody pulled the plug."""


@pytest.mark.parametrize("method", ["video", "groupvideo"])
def test_an_interrupted_pack_goes_on(method, monkeypatch):
    done = []

    def stop(step):
        if step.frames > 40 and len(done) < 1:
            done.append(step.frames)
            raise Stopped

    how = {"method": method, "resume": True, "codec": "ffv1", "workers": 1}
    with pytest.raises(Stopped):
        h5vidstack.pack(FRAMES, "x.h5", progress=stop, **how)
    if method == "groupvideo":  # stopped in the first pass: once more in the second
        done.clear()
        calls = []

        def stop_late(step):
            calls.append(step.frames)
            if 32 in calls:
                raise Stopped

        with pytest.raises(Stopped):
            h5vidstack.pack(FRAMES, "x.h5", progress=stop_late, **how)
    assert [path.name for path in Path().iterdir()] == [".x.h5.stack.resume"]
    kept = Path(".x.h5.stack.resume").read_bytes()
    shutil.copy(".x.h5.stack.resume", "journal")
    for cut in (0, 1, 40, len(kept) // 2):  # the last record was not written to its end
        Path(".x.h5.stack.resume").write_bytes(kept[: len(kept) - cut])
        encoder = Mock(side_effect=block.encode)
        with monkeypatch.context() as patch:
            patch.setattr(block, "encode", encoder)
            h5vidstack.pack(FRAMES, "x.h5", overwrite=True, **how)
        with h5vidstack.open("x.h5") as stack:
            blocks = sum(group.blocks for group in stack.groups)
        assert encoder.call_count < blocks or cut > 40
        assert not Path(".x.h5.stack.resume").exists()
        with h5vidstack.open("x.h5") as stack:
            np.testing.assert_array_equal(stack[:], FRAMES)
            assert stack.verify() == []
    h5vidstack.pack(FRAMES, "y.h5", **how)
    with h5vidstack.open("x.h5") as one, h5vidstack.open("y.h5") as other:
        assert [group.coding for group in one.groups] == [group.coding for group in other.groups]


def test_a_journal_of_other_frames_or_of_a_liar_does_no_harm():
    def stop(step):
        raise Stopped

    for _ in range(2):
        with pytest.raises(Stopped):
            h5vidstack.pack(FRAMES, "x.h5", method="video", resume=True, progress=stop)
    other = FRAMES ^ 1
    h5vidstack.pack(other, "x.h5", method="video", resume=True)
    with h5vidstack.open("x.h5") as stack:
        np.testing.assert_array_equal(stack[:], other)


def test_one_pack_resumes_at_a_time():
    with (
        h5vidstack.writing.journal.resumable(Path("x.h5").resolve(), "/stack"),
        pytest.raises(h5vidstack.OutputError, match="open for writing elsewhere"),
    ):
        h5vidstack.pack(FRAMES, "x.h5", resume=True)
    with pytest.raises(h5vidstack.UnsupportedError, match="takes no resume"):
        h5vidstack.pack(FRAMES, "x.h5", method="group", resume=True)


def test_a_refused_resume_leaves_no_journal():
    h5vidstack.pack(moving((4, 20, 30)), "x.h5", resume=True)
    with pytest.raises(h5vidstack.OutputError, match="overwrite"):
        h5vidstack.pack(moving((4, 20, 30)), "x.h5", resume=True)
    assert [path.name for path in Path().iterdir()] == ["x.h5"]
