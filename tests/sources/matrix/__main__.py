"""Run the matrix: ``python -m matrix [KIND ...] [--share 0.1]``."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from . import KINDS
from .core import Tally, chosen, faults, run


def tallies(part: int, parts: int, kinds: list[str], share: float) -> dict[str, Tally]:
    """Run a part of the cases."""
    found: dict[str, Tally] = {}
    for kind in kinds:
        for number, case in enumerate(chosen(KINDS[kind](), share, part, parts)):
            run(case, found.setdefault(case.group, Tally()), pack=number % 20 == 0)
    return found


def main() -> int:
    """Print a table and what is wrong; return whether something is."""
    parser = argparse.ArgumentParser(prog="python -m matrix", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []], metavar="KIND")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, 0 to 1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--most", type=int, default=100, help="lines of faults")
    options = parser.parse_args()
    work = partial(
        tallies, parts=4 * options.jobs, kinds=options.kinds or [*KINDS], share=options.share
    )
    total: dict[str, Tally] = {}
    with ProcessPoolExecutor(options.jobs) as pool:
        for found in pool.map(work, range(4 * options.jobs)):
            for group, tally in found.items():
                total.setdefault(group, Tally()).add(tally)
    return report(total, options.most)


def report(total: dict[str, Tally], most: int) -> int:
    """Print what was found; return the exit status."""
    columns = ("files", "equal", "converted", "refused", "different", "disputed", "unwritable")
    print(f"{'group':22}" + "".join(f"{column:>12}" for column in columns))
    everything = Tally()
    for tally in total.values():
        everything.add(tally)
    for group, tally in [*sorted(total.items()), ("all", everything)]:
        values = (tally.files, tally.equal, tally.converted, tally.refused.total(),
                  len(tally.different), len(tally.disputed), tally.unwritable)  # fmt: skip
        print(f"{group:22}" + "".join(f"{value:12}" for value in values))
    for group, tally in sorted(total.items()):
        for kind, count in tally.refused.most_common():
            print(f"refused {count:5}  {group}: {kind}")
    wrong = faults(total)
    print("\n".join(wrong[:most]))
    print(f"{everything.files} files, {everything.equal} equal, {len(wrong)} faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
