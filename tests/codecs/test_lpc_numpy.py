import numpy as np
import pytest
from lpc_streams import GOLDEN_STREAMS, MAKE
from places import ROOT

from h5vidstack.codecs import lpc_numpy
from h5vidstack.codecs.lpc_numpy import tables


@pytest.mark.parametrize("name", MAKE["CASES"])
def test_golden_streams_by_numpy(name):
    bits, *options, samples, configuration, packets = GOLDEN_STREAMS[name]
    made = MAKE["samples_of"](samples.shape, bits, MAKE["CASES"][name][-1])
    np.testing.assert_array_equal(made, samples)
    assert lpc_numpy.encode(samples, bits, *options) == (packets, configuration)
    out = np.zeros_like(samples)
    lpc_numpy.decode(packets, configuration, bits, out)
    np.testing.assert_array_equal(out, samples)


def test_the_tables_of_the_format_are_those_of_the_code():
    text = (ROOT / "spec" / "format.md").read_text()
    for name, table in {"L": tables._LOGISTIC, "N": tables._NORMAL}.items():
        numbers = text.split(f"\n{name}:\n\n```\n")[1].split("```")[0].split()
        listed = [int(number) for number in numbers]
        assert listed + [65536] * (193 - len(listed)) == table.tolist()
