import math
from dataclasses import replace

import numpy as np
import pytest
from frames import noise

from h5vidstack.codecs import loss
from h5vidstack.codecs.loss import Loss
from h5vidstack.codecs.noise import NoiseLoss, NoiseModel


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "i8", "u8"])
def test_differences_of_integers_do_not_go_round(dtype):
    ends = np.iinfo(dtype)
    one = np.array([[ends.min, ends.max, 3]], dtype)
    other = np.array([[ends.max, ends.min, 5]], dtype)
    found = loss.differences(one, other)
    assert found.tolist() == [[float(ends.max - ends.min)] * 2 + [2.0]]
    assert loss.largest_difference(one, other) == float(ends.max - ends.min)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_what_is_no_number_must_stay_what_it_is(dtype):
    nan, inf = math.nan, math.inf
    one = np.array([nan, inf, -inf, 1, nan, inf, inf, -0.0], dtype)
    other = np.array([nan, inf, -inf, 3, 1, 1, -inf, 0.0], dtype)
    assert loss.differences(one, other).tolist() == [0, 0, 0, 2, inf, inf, inf, 0]
    assert loss.largest_difference(one[:0], other[:0]) == 0


def test_frames_are_measured_each_for_itself():
    frames = noise((5, 7, 9)).astype("f4")
    frames[1, 2, 3] = np.nan
    decoded = frames + np.arange(5, dtype="f4")[:, None, None]
    found = loss.measure(frames, decoded)
    assert found.mse.tolist() == pytest.approx([0, 62 / 63, 4, 9, 16])  # NaN is no loss
    assert found.worst.tolist() == [0, 1, 2, 3, 4]
    assert found.low.tolist() == np.nanmin(frames, (1, 2)).tolist()
    assert found.high.tolist() == np.nanmax(frames, (1, 2)).tolist()
    empty = loss.measure(np.full((1, 2, 2), np.nan), np.full((1, 2, 2), np.nan))
    assert (empty.low[0], empty.high[0], empty.worst[0]) == (math.inf, -math.inf, 0)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f8"])
def test_a_stack_in_two_piles_with_a_copy(dtype):
    frames = (noise((9, 7, 11)) // 2).astype(dtype)
    decoded = frames + (noise((9, 7, 11), 1) % 3).astype(dtype)
    order = np.array([3, 1, 1, 8, 0, 5, 7])  # frame 1 is stored once and shown twice
    piles = [loss.measure(frames[:4], decoded[:4]), loss.measure(frames[4:], decoded[4:])]
    pile, position = (order >= 4).astype(int), np.where(order >= 4, order - 4, order)
    found = loss.total(piles, pile, position, np.dtype(dtype))
    apart = decoded[order].astype("f8") - frames[order]
    assert found.mse == pytest.approx(np.mean(apart**2))
    assert found.max_error == np.abs(apart).max() == 2
    peak = 255 if dtype == "u1" else np.ptp(frames)
    assert found.psnr == pytest.approx(20 * math.log10(peak) - 10 * math.log10(found.mse))
    assert not found.exact


def test_losses_of_parts_are_joined():
    one = Loss(max_error=2.0, mse=1.0, psnr=48.0, exact=False)
    both = loss.together(one, 30, loss.NO_LOSS, 10)
    assert (both.max_error, both.mse, both.exact) == (2.0, 0.75, False)
    assert both.psnr == pytest.approx(48 - 10 * math.log10(0.75))
    assert loss.together(loss.NO_LOSS, 3, loss.NO_LOSS, 4) == loss.NO_LOSS


def test_losses_in_units_of_noise_are_joined_if_the_noise_is_one():
    camera, other = (NoiseModel(gain=gain, offset=10, read=2) for gain in (1, 2))

    def lost(model, bound, error, bias):
        own = NoiseLoss(model=model, bound=bound, error=error, bias=bias)
        return Loss(max_error=9.0, mse=1.0, psnr=48.0, exact=False, noise=own)

    one, two = lost(camera, 0.5, 0.4, 0.25), lost(camera, 0.25, 0.2, -0.25)
    both = loss.together(one, 30, two, 10)
    assert both.noise == NoiseLoss(model=camera, bound=0.5, error=0.4, bias=0.125)
    assert loss.together(loss.NO_LOSS, 10, one, 30).noise.bias == 0.25 * 30 / 40
    assert loss.together(one, 30, lost(other, 0.5, 0.4, 0), 10).noise is None
    assert loss.together(one, 30, replace(one, noise=None), 10).noise is None
    attrs = {"lossless": False, "max_error": 9, "mse": 1, "psnr": 48}
    assert loss.stated(attrs | loss.noise_attributes(one.noise)) == one
    assert loss.noise_attributes(None) == {}


def test_what_a_loss_covers():
    frame, got = np.array([100, 1000], np.uint16), np.array([103, 1020], np.uint16)
    own = NoiseLoss(
        model=NoiseModel(gain=1, offset=0, read=0), bound=0.7, error=0.64, bias=11.5
    )  # fmt: skip
    whole = Loss(max_error=20.0, mse=204.5, psnr=25.0, exact=False, noise=own)
    assert whole.covers(frame, got)
    assert not replace(whole, max_error=19.0).covers(frame, got)
    assert not replace(whole, noise=replace(own, bound=0.6)).covers(frame, got)
    assert replace(whole, max_error=math.nan, noise=None).covers(frame, got)  # it is not known


def test_what_attributes_state():
    assert loss.stated({"lossless": True, "max_error": 7.0}) == loss.NO_LOSS
    found = loss.stated({"lossless": False, "max_error": 2, "mse": 0.5})
    assert (found.max_error, found.mse, found.exact) == (2.0, 0.5, False)
    assert math.isnan(found.psnr)
