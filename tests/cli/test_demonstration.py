from benched import bench
from commands import fails, run

import h5vidstack


def test_the_generated_stack():
    said = bench(
        "demo", "--dtype", "uint16", "--frames", 60, "--methods", "hdf5", "--rounds", 1
    ).output
    assert "demo: 60 x 200 x 300 uint16" in said


def test_demo():
    output = run("demo", "--grid", "4x5x3", "--size", "20x31").output
    assert "60 frames of 20x31" in output
    assert output.count("exact") == 2
    assert "gzip" in output
    run("demo", "--grid", "2", "--size", "9", "--out", "kept.h5")
    with h5vidstack.open("kept.h5") as stack:
        assert stack.shape == (8, 9, 9)
    assert "exists" in fails("demo", "--grid", "2", "--size", "9", "--out", "kept.h5")
