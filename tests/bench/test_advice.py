import dataclasses

from benched import STACKS, bench_of, made_up

from h5vidstack.bench.advice import advise
from h5vidstack.bench.results import Row
from h5vidstack.bench.roster import all_contestants


def test_front_and_advice():
    found = bench_of(
        made_up("tiny", 10**6, 1), made_up("good", 2 * 10**6, 50), made_up("beaten", 3 * 10**6, 40),
        made_up("quick", 4 * 10**7, 400), made_up("raw", 10**8, 900),
        made_up("lossy", 10**5, 10**4, exact=False), Row(name="absent", ours=False, problem="not installed"),
    )  # fmt: skip
    assert [row.name for row in found.front("pack_speed")] == ["tiny", "good", "quick", "raw"]
    assert found.best()["file_bytes"] == 10**6
    assert found.best()["pack_speed"] == 900
    advice = advise(found)
    for words in (
        "archive: tiny, 100 times", "Every day: good", "at random: quick", "NOT exact: lossy",
        "off by up to 3",
    ):  # fmt: skip
        assert words in advice
    assert "nothing to recommend" in advise(bench_of(made_up("a", 1, 1, exact=False)))
    assert "Every day" not in advise(bench_of(made_up("slow", 10**6, 1)))


def test_advice_names_ours_beside_a_peer_and_how_to_get_it():
    ours = dataclasses.replace(made_up("auto small", 2 * 10**6, 1), options="--profile small")
    advice = advise(bench_of(made_up("JPEG-LS", 90_000, 1, ours=False), ours))
    assert "To archive: JPEG-LS (a peer; of ours: auto small, 50 times), 1,111 times" in advice
    assert advice.endswith("As options of h5vidstack pack: auto small is --profile small.")
    assert "(a peer)," in advise(bench_of(made_up("JPEG-LS", 10**6, 1, ours=False)))
    assert "nothing here shrinks it" in advise(bench_of(made_up("hdf5", 101_000_000, 50)))
    named = {one.name: one.options for one in all_contestants(STACKS["uint8"], 2.0)}
    assert named["auto small"] == "--method auto --profile small"
    assert named["bounded fast"] == "--method auto --profile fast --max-error 2.0"
    assert named["pca exact"] == "--method pca --exact"
    assert named["video x264-slow"] == "--method video --preset x264-slow"
