"""lpc: the C core and numpy agree on every byte and pixel, and refuse damage alike."""

import h5py
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from lpc_streams import GOLDEN_STREAMS, MAKE, options, samples_of
from places import GOLDEN, SPEC_READER

import h5vidstack
from h5vidstack.codecs import lpc, lpc_numpy
from h5vidstack.errors import BlockError

READER = SPEC_READER
SHAPES = [(1, 1), (1, 7), (7, 1), (2, 2), (1, 2), (2, 1), (17, 3), (3, 17), (5, 40), (12, 13)]
KINDS = ["constant", "saturated", "noise", "ramp", "low noise", "sparse"]


@pytest.fixture(scope="module")
def core():
    found = pytest.importorskip("h5vidstack._core", reason="the C core was not built")
    if not hasattr(found, "lpc_encode"):  # a folder of C files is a package, too
        pytest.skip("the C core was not built")
    yield Core(found)
    found.force_portable(False)


class Core:
    """The C core, with the errors of the numpy decoder."""

    def __init__(self, module):
        self.encode, self.force_portable = module.lpc_encode, module.force_portable
        self.module = module

    def decode(self, configuration, packets, bits, out, first=0):
        try:
            self.module.lpc_decode(configuration, packets, bits, out, first)
        except ValueError as error:
            raise BlockError(f"an lpc stream {error}") from error


streams = st.tuples(
    st.sampled_from(KINDS),
    st.tuples(st.sampled_from([1, 2, 3, 6, 9]), st.sampled_from(SHAPES)).map(
        lambda s: (s[0], *s[1])
    ),
    st.integers(1, 16),
    st.integers(0, 1 << 20),
)


def decode_numpy(configuration, packets, bits, out, first=0):
    lpc_numpy.decode(packets, configuration, bits, out, first)


def check_both(core, samples, bits, options):
    """Encode by all paths, compare, decode by all; return configuration and packets."""
    packets, configuration = lpc_numpy.encode(samples, bits, *options)
    for portable in (False, True):
        core.force_portable(portable)
        coded = core.encode(samples, bits, *options)
        out = np.zeros_like(samples)
        core.decode(configuration, packets, bits, out)
        core.force_portable(False)
        assert coded == (configuration, packets)
        np.testing.assert_array_equal(out, samples)
    out = np.zeros_like(samples)
    decode_numpy(configuration, packets, bits, out)
    np.testing.assert_array_equal(out, samples)
    return configuration, packets


@given(streams, options)
@example(("noise", (2, 3, 5), 16, 1), (1, 4, 1, 1))
@example(("constant", (3, 1, 1), 1, 0), (2, 1, 1, 2))
def test_c_and_numpy_agree(core, stream, options):
    kind, shape, bits, seed = stream
    check_both(core, samples_of(kind, shape, bits, seed), bits, options)


@pytest.mark.parametrize("bits", [8, 14])
@pytest.mark.parametrize("references", range(3))
def test_c_and_numpy_agree_on_larger_frames(core, references, bits):
    samples = samples_of("low noise", (3, 301, 201), bits)
    check_both(core, samples, bits, (references, 4, 4, 2))
    check_both(core, np.tile(samples, (2, 1, 1)), bits, (references, 4, 4, 1))


def test_small_samples_may_be_wide(core):
    samples = samples_of("noise", (2, 9, 9), 7)
    configuration, packets = check_both(core, samples, 7, (1, 2, 1, 1))
    assert core.encode(samples.astype(np.uint16), 7, 1, 2, 1, 1) == (configuration, packets)
    for decode in (core.decode, decode_numpy):
        out = np.zeros(samples.shape, np.uint16)
        decode(configuration, packets, 7, out)
        np.testing.assert_array_equal(out, samples)


@given(streams, options, st.data())
@settings(max_examples=40)
def test_some_frames_are_decoded(core, stream, options, data):
    kind, shape, bits, seed = stream
    samples = samples_of(kind, shape, bits, seed)
    packets, configuration = lpc_numpy.encode(samples, bits, *options)
    last = data.draw(st.integers(1, len(samples)))
    first = data.draw(st.integers(0, last - 1))
    for decode in (core.decode, decode_numpy):
        out = np.zeros_like(samples[first:last])
        decode(configuration, packets, bits, out, first)
        np.testing.assert_array_equal(out, samples[first:last])


def test_frames_that_no_other_needs_are_not_read(core):
    """Frames 4 to 7 refer to frame 6, and 12 and 13, a short run, to 13."""
    samples = samples_of("low noise", (14, 9, 9), 8)
    packets, configuration = lpc_numpy.encode(samples, 8, 2, 2, 1, 1)
    packets = [packet if t in (4, 6, 12, 13) else b"" for t, packet in enumerate(packets)]
    for decode in (core.decode, decode_numpy):
        out = np.zeros_like(samples[:1])
        for t in (4, 6, 12, 13):
            decode(configuration, packets, 8, out, t)
            np.testing.assert_array_equal(out[0], samples[t])
        for t in (3, 5, 7):
            with pytest.raises(BlockError):
                decode(configuration, packets, 8, out, t)


@pytest.mark.parametrize("bits", range(1, 17))
def test_noise_grows_little(bits):
    """A caller stores noise raw; that lpc makes it little larger keeps its trial cheap."""
    samples = samples_of("noise", (2, 64, 64), bits)
    packets, configuration = lpc_numpy.encode(samples, bits, 1, 4, 1, 1)
    raw = samples.size * bits / 8
    assert sum(map(len, packets)) + len(configuration) < 1.15 * raw + 1500


damage = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 1, exclude_max=True), st.integers(1, 255)),
    min_size=1,
    max_size=4,
)


def damaged(parts, how):
    """Parts with bytes changed, cut off, or added."""
    parts = [bytearray(part) for part in parts]
    for kind, place, change in how:
        part = parts[0 if kind % 2 else int(place * len(parts))]
        at = int(place * 997 % 1 * len(part))
        if kind == 3 and change > 200:
            part += bytes([change])
        elif kind == 2:
            del part[at:]
        elif part:
            part[at] ^= change
    return [bytes(part) for part in parts]


@given(streams, options, damage)
@settings(max_examples=200)
def test_damage_is_refused_alike(core, stream, options, how):
    kind, shape, bits, seed = stream
    samples = samples_of(kind, shape, bits, seed)
    packets, configuration = lpc_numpy.encode(samples, bits, *options)
    configuration, *packets = damaged([configuration, *packets], how)
    outcomes = []
    for portable in (False, True, None):
        decode = decode_numpy if portable is None else core.decode
        core.force_portable(portable is True)
        out = np.zeros_like(samples)
        try:
            decode(configuration, packets, bits, out)
            outcomes.append(out.tobytes())
        except BlockError:
            outcomes.append(None)
        finally:
            core.force_portable(False)
    assert outcomes[0] == outcomes[1] == outcomes[2]


@given(st.binary(max_size=400), st.binary(max_size=100), st.integers(1, 8))
def test_any_bytes_are_decoded_or_refused(core, configuration, packet, bits):
    outcomes = []
    for decode in (core.decode, decode_numpy):
        out = np.zeros((3, 2, 4), np.uint8)
        try:
            decode(configuration, [packet] * 3, bits, out)
            outcomes.append(out.tobytes())
        except BlockError:
            outcomes.append(None)
    assert outcomes[0] == outcomes[1]


def test_too_few_packets_are_refused():
    samples = samples_of("noise", (3, 4, 4), 8)
    packets, configuration = lpc_numpy.encode(samples, 8, 1, 1, 1, 1)
    with pytest.raises(BlockError, match="2 packets for 3 frames"):
        lpc_numpy.decode(packets[:2], configuration, 8, np.zeros_like(samples))


HOSTILE = {
    "zeros": (bytes(1 << 20), "end|states"),
    "newer": (b"\x01" + bytes(40), "upgrade h5vidstack"),
    "unknown references": (b"\x30" + bytes(40), "upgrade h5vidstack"),
    "128 states": (b"\x00\x07\x00" + bytes(40), "states"),
    "a number without end": (b"\x00\x02\x00" + bytes(1 << 20), "end|coefficients"),
    "a large coefficient": (b"\x00\x02\x00" + b"\x00\x00\xff\xff\xff" * 40, "range|coefficients"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_configurations_are_checked(core, name):
    configuration, message = HOSTILE[name]
    for decode in (core.decode, decode_numpy):
        with pytest.raises(BlockError, match=message):
            decode(configuration, [bytes(30)], 8, np.zeros((1, 3, 3), np.uint8))


def test_no_golden_stream_is_missing():
    with np.load(GOLDEN / "lpc.npz") as file:
        assert {key.split("/")[0] for key in file} == set(MAKE["CASES"])


@pytest.mark.parametrize("name", MAKE["CASES"])
def test_golden_streams_by_the_core(core, name):
    bits, *options, samples, configuration, packets = GOLDEN_STREAMS[name]
    assert check_both(core, samples, bits, options) == (configuration, packets)


@pytest.mark.parametrize("name", MAKE["CASES"])
def test_spec_reader_reads_golden_streams(name):
    bits, *_, samples, configuration, packets = GOLDEN_STREAMS[name]
    found = READER["decode_lpc"](packets, configuration, bits, samples.shape)
    np.testing.assert_array_equal(found, samples)


@given(streams, options)
@settings(max_examples=25)
def test_spec_reader_reads_what_is_written(stream, options):
    kind, shape, bits, seed = stream
    assume(shape[0] < 6)
    samples = samples_of(kind, shape, bits, seed)
    packets, configuration = lpc_numpy.encode(samples, bits, *options)
    found = READER["decode_lpc"](packets, configuration, bits, samples.shape)
    np.testing.assert_array_equal(found, samples)


def test_without_the_core_numpy_writes_the_same_file(core, monkeypatch, tmp_path):
    samples = samples_of("low noise", (20, 30, 25), 8)
    h5vidstack.pack(samples, tmp_path / "c.h5", codec="lpc", chunk_frames=16)
    monkeypatch.setattr(lpc, "CORE", None)
    lpc._say_slow.cache_clear()  # private: a process says it once, and this test needs it now
    with pytest.warns(UserWarning, match="install a C compiler") as warned:
        h5vidstack.pack(samples, tmp_path / "numpy.h5", codec="lpc", chunk_frames=16, workers=1)
    assert len(warned) == 1
    blocks = []
    for name in ("c.h5", "numpy.h5"):
        with h5vidstack.open(tmp_path / name) as stack:
            np.testing.assert_array_equal(stack[()], samples)
        with h5py.File(tmp_path / name) as file:
            video = file["stack/groups/000000/video"]
            blocks.append([video.id.read_direct_chunk((i, 0, 0)) for i in (0, 16)])
    assert blocks[0] == blocks[1]


def extreme_model(encoder, rng):
    """Give an encoder a model as no least squares find it, up to all limits."""
    model = encoder.model
    model.error_shift = int(rng.integers(0, 16))
    model.states = 1 << int(rng.integers(0, 7))
    model.thresholds = rng.integers(0, 1 << 16, model.classes - 1).tolist()
    for kind, number, taps in model.sets():
        values = np.zeros(17, np.int64)
        values[:taps] = rng.normal(0, 1, taps) * rng.choice([0, 1, 1e6], taps, p=[0.4, 0.5, 0.1])
        values = values * rng.choice([300, 4000, 32767]) // max(1, np.abs(values).sum())
        values[:taps] -= np.sign(values[:taps])  # rounded down: negative ones are too large
        values[16] = rng.choice([0, -(1 << 29), 1 << 29, rng.integers(-(1 << 20), 1 << 20)])
        model.coefficients[kind, number] = values


@given(streams, options, st.integers(0, 1 << 20))
@settings(max_examples=150)
def test_streams_of_extreme_models_are_decoded_alike(core, stream, options, seed):
    kind, shape, bits, _ = stream
    samples = samples_of(kind, shape, bits, seed)
    encoder = lpc_numpy.encoder._Encoder(samples, bits, *options[:2], 2)
    extreme_model(encoder, np.random.default_rng(seed))
    encoder.model_frames()
    encoder.choose_families()
    packets = list(encoder.packets())
    configuration = lpc_numpy.model.write_configuration(encoder.model)
    for portable in (False, True):
        core.force_portable(portable)
        out = np.zeros_like(samples)
        core.decode(configuration, packets, bits, out)
        core.force_portable(False)
        np.testing.assert_array_equal(out, samples)
    out = np.zeros_like(samples)
    decode_numpy(configuration, packets, bits, out)
    np.testing.assert_array_equal(out, samples)
    if shape[0] < 3:
        found = READER["decode_lpc"](packets, configuration, bits, samples.shape)
        np.testing.assert_array_equal(found, samples)
