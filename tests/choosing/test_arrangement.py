import h5py
import numpy as np
from click.testing import CliRunner
from frames import SHUFFLE, SWEEP, moving, noise, scenes

import h5vidstack
from h5vidstack.cli import main


def stored(frames, method, **options):
    return h5vidstack.pack(frames, "size.h5", method=method, overwrite=True, **options).stored_bytes


def test_similarity_order_is_as_good_as_the_original():
    shuffled = SWEEP[SHUFFLE]
    assert stored(shuffled, "video") > 1.1 * stored(SWEEP, "video")
    assert stored(shuffled, "groupvideo") <= 1.05 * stored(SWEEP, "video")


def test_auto_reorders_where_it_pays_and_only_there():
    report = h5vidstack.pack(SWEEP[SHUFFLE], "a.h5")
    assert report.method == "groupvideo"
    assert "% smaller in a sample" in report.order
    with h5py.File("a.h5") as file:
        assert file["stack/frames"].is_virtual
    for frames in (SWEEP, noise((40, 20, 20)), SWEEP[:1], SWEEP[:2]):
        report = h5vidstack.pack(frames, "b.h5", overwrite=True)
        assert report.method == "video"
        assert report.order.startswith("time order")
        with h5py.File("b.h5") as file:
            assert file["stack/frames"] == file["stack/groups/000000/video"]
            assert file["stack"].attrs["method"] == b"video"


def test_scenes_are_told_apart():
    frames = scenes(3)
    order = np.random.default_rng(0).permutation(len(frames))
    report = h5vidstack.pack(frames[order], "x.h5", method="groupvideo")
    assert report.piles == 3
    with h5vidstack.open("x.h5") as stack:
        for pile in stack.groups:
            assert len({scene // 40 for scene in order[pile.frames]}) == 1
            assert pile.typical in pile.frames
            assert pile.raw_bytes == len(pile.frames) * 40 * 56
        assert sum(pile.stored_bytes for pile in stack.groups) == report.stored_bytes
        np.testing.assert_array_equal(stack[:], frames[order])
    apart = sum(stored(frames[i : i + 40], "video") for i in (0, 40, 80))
    assert report.stored_bytes <= 1.01 * apart


def test_each_pile_chooses_its_preset():
    # Noise gains nothing from effort; motion does.
    drifting = moving((120, 40, 56)) // 16
    frames = np.concatenate([noise((60, 40, 56)), drifting + np.uint8(200)])
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    with h5vidstack.open("x.h5") as stack:
        presets = {pile.preset for pile in stack.groups}
        assert len(presets) == 2
    for preset in ("x264-fast", "x264-slow"):
        h5vidstack.pack(frames, "x.h5", method="groupvideo", preset=preset, overwrite=True)
        with h5vidstack.open("x.h5") as stack:
            assert {pile.preset for pile in stack.groups} == {preset}


def test_command_line_says_which_order():
    np.save("a.npy", np.concatenate([SWEEP[SHUFFLE], SWEEP[:5]]))
    done = CliRunner().invoke(main, ["pack", "a.npy", "x.h5", "--method", "groupvideo"])
    assert "similarity order, 1 pile; frames were read again in that order; 5 copies" in done.output
    done = CliRunner().invoke(main, ["info", "x.h5"])
    words = (
        "similarity order, 1 pile; frames were read again in that order, 5 copies of other frames"
    )
    assert f"order      {words}" in done.output
    done = CliRunner().invoke(main, ["info", "x.h5", "--groups"])
    assert "typical" in done.output
    done = CliRunner().invoke(main, ["pack", "a.npy", "y.h5", "--spool-limit", "12X"])
    assert done.exit_code == 2
