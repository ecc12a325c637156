import numpy as np
import pytest
from cameras import photographed
from frames import moving

from h5vidstack import SourceError
from h5vidstack.choosing.photon_transfer import estimate
from h5vidstack.sources.array_source import ArraySource

SHAPE = (24, 96, 96)


def estimated(frames):
    return estimate(ArraySource(np.ascontiguousarray(frames), "frames"))


def deviations(found, frames, gain, offset, read):
    """The noise that was found over the true one, over the range of the frames."""
    values = np.linspace(*np.percentile(frames, [2, 98]), 20)
    true = np.sqrt(np.maximum(values - offset, 0) * gain + read**2) / gain
    return found.sigma(values) / true


@pytest.mark.parametrize(
    ("camera", "how"),
    [
        ({"gain": 0.5, "offset": 100, "read": 1.6}, {}),
        ({"gain": 0.02, "offset": 1000, "read": 5}, {"light": (20, 400)}),
        ({"gain": 2.2, "offset": 0, "read": 8}, {"light": (500, 50000)}),
        ({"gain": 30, "offset": 2, "read": 30}, {"light": (300, 7000), "dtype": "u1"}),
        ({"gain": 1, "offset": 0, "read": 0}, {"light": (1, 100), "dtype": "u4"}),
        ({"gain": 1, "offset": -300, "read": 3}, {"dtype": "i2"}),
    ],
)
def test_a_camera_is_found(camera, how):
    frames = photographed(SHAPE, **camera, **how)
    found = estimated(frames)
    assert found.estimated
    assert found.gain == pytest.approx(camera["gain"], rel=0.06)
    np.testing.assert_allclose(deviations(found, frames, **camera), 1, atol=0.06)


def test_the_same_frames_give_the_same_noise():
    assert estimated(photographed(SHAPE)) == estimated(photographed(SHAPE))


def test_colour_and_large_frames():
    assert estimated(photographed((8, 96, 96, 3))).gain == pytest.approx(0.5, rel=0.06)
    assert estimated(photographed((2, 1200, 1300))).gain == pytest.approx(0.5, rel=0.06)


def test_channels_are_not_successive_frames():
    random = np.random.default_rng(5)
    channels = [random.random((96, 96)) * 900 + 100, random.random((96, 96)) * 300 + 700]
    light = np.stack([np.stack(channels)] * 12)
    frames = (random.poisson(light) / 0.5).round().astype("u2")
    assert estimated(frames).gain == pytest.approx(0.5, rel=0.06)


def test_what_changes_smoothly_or_in_few_places_does_no_harm():
    camera = {"gain": 0.5, "offset": 100, "read": 1.6}
    frames = photographed(SHAPE, **camera).astype(float)
    flicker = 1 + 0.2 * np.random.default_rng(1).random((len(frames), 1, 1))
    lit = np.stack([photographed((1, 96, 96), light=(5 * f, 2000 * f), seed=n)[0]
                    for n, f in enumerate(flicker.ravel())])  # fmt: skip
    assert estimated(lit).gain == pytest.approx(0.5, rel=0.06)
    random = np.random.default_rng(2)
    for frame in frames:  # small bright things at other places in each
        y, x = random.integers(0, 88, 2)
        frame[y : y + 8, x : x + 8] += 3000 * random.random((8, 8))
    found = estimated(frames.astype("u2"))
    np.testing.assert_allclose(deviations(found, frames, **camera), 1, atol=0.1)


def test_saturated_pixels_are_left_out():
    frames = photographed(SHAPE, light=(5, 2000), full=3000)  # a quarter of it is white
    assert np.mean(frames == 3000) > 0.1
    assert estimated(frames).gain == pytest.approx(0.5, rel=0.06)


def test_frames_that_are_stored_twice_show_nothing():
    frames = np.repeat(photographed((24, 96, 96)), 2, axis=0)
    assert estimated(frames).gain == pytest.approx(0.5, rel=0.06)


def test_a_still_frame_and_flat_borders_show_nothing():
    frames = photographed(SHAPE)
    frames[:, :20] = 0
    assert estimated(frames).gain == pytest.approx(0.5, rel=0.06)


UNKNOWN = {
    "one frame": (photographed((1, 96, 96)), "two frames"),
    "small frames": (photographed((30, 7, 96)), "at least 8 x 8"),
    "constant": (np.full((9, 96, 96), 7, "u2"), "successive frames are equal"),
    "still": (np.repeat(photographed((1, 96, 96)), 9, 0), "successive frames are equal"),
    "few": (photographed((2, 96, 96)), "only .* tiles"),
    "saturated": (photographed(SHAPE, light=(3000, 9000), full=255, dtype="u1"), "saturated|equal"),
    "nearly saturated": (photographed(SHAPE, light=(60, 100), full=255), "are saturated"),
    "even light": (photographed(SHAPE, light=(1000, 1000)), "does not grow with the light"),
    "no shot noise": (
        (np.random.default_rng(0).normal(0, 5, SHAPE) + np.arange(96) * 10 + 99).astype("u2"),
        "does not grow with the light",
    ),
    "gamma": (
        (photographed(SHAPE, gain=0.1, light=(10, 6000)) ** 0.5 * 16).astype("u2"),
        "does not grow|no linear function",
    ),
    "squared": (
        (photographed(SHAPE, light=(50, 100)).astype(float) ** 4 / 1e5).astype("u2"),
        "no linear function",
    ),
    "noise-free": (moving((24, 96, 96)), "cannot be estimated"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_shows_no_noise_is_refused(name):
    frames, words = UNKNOWN[name]
    with pytest.raises(SourceError, match=words) as told:
        estimated(frames)
    assert "gain=0.46,offset=100,read=1.6" in str(told.value)


def test_a_moving_texture_is_refused():
    random = np.random.default_rng(0)
    texture = random.random((200, 200)) * 1000
    scene = np.stack([texture[n * 3 : n * 3 + 96, n * 4 : n * 4 + 96] for n in range(24)])
    y = np.arange(96)[:, None] / 96
    with pytest.raises(SourceError, match="cannot be estimated"):
        estimated((100 + random.poisson(scene * y + 20)).astype("u2"))
