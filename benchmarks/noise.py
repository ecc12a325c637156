"""Sizes with errors bounded in units of noise, beside lossless and beside constant bounds.

    python benchmarks/noise.py [--noise gain=..,offset=..,read=..] PATH[:COUNT] ...

Errors and biases are in standard deviations of each pixel's noise, where it has some. Of the two constant bounds one
has the same mean error (the nearest whole number), and one keeps to the noise of the darkest pixel.
"""

from __future__ import annotations

import argparse

import numpy as np
from stacks import add_stacks, loaded

import h5vidstack

ROW = "| {:<42} | {:>9} | {:>10} | {:>11} | {:>8} | {:>13} |"


def main():
    """Print a table for each stack."""
    parser = argparse.ArgumentParser()
    add_stacks(parser, "demo:uint16:288")
    parser.add_argument("--noise", help="As pack's.")
    parser.add_argument("--times", nargs="*", type=float, default=[0.25, 0.5, 1.0])
    arguments = parser.parse_args()
    for name, frames in loaded(arguments):
        exact = h5vidstack.pack(frames, "noise.h5", overwrite=True, hashes=False)
        first = _packed(frames, "1s", arguments.noise)[0]
        if first.noise is None:
            print(f"{name}: no pixel may move")
            continue
        model = first.noise.model
        print(f"\n{name} {frames.shape} {frames.dtype}: {model}\n")
        print(ROW.format("bound", "KB", "mean error", "largest", "bias", "added noise"))
        print(ROW.format("lossless", f"{exact.stored_bytes / 1000:,.0f}", 0, 0, 0, "0 %"))
        for times in arguments.times:
            report, got = _packed(frames, f"{times}s", arguments.noise)
            mean = np.abs(got - frames.astype(float)).mean()
            _row(f"{times:g}s", model, report, frames, got)
            alike = round(float(2 * mean))  # the mean error of 2 e + 1 values is about e / 2
            if alike:
                _row(f"{alike}, of about that mean error", model, *_of(frames, alike))
            dark = int(times * model.sigma(frames.min()))
            if dark:
                _row(f"{dark}, within {times:g}s of the darkest", model, *_of(frames, dark))


def _packed(frames, bound, noise=None):
    report = h5vidstack.pack(
        frames, "noise.h5", max_error=bound, noise=noise, overwrite=True, hashes=False
    )
    with h5vidstack.open("noise.h5") as stack:
        return report, stack[:]


def _of(frames, bound):
    report, got = _packed(frames, bound)
    return report, frames, got


def _row(what, model, report, frames, got):
    apart, sigma = got - frames.astype(float), model.sigma(frames)
    of_noise = apart[sigma > 0] / sigma[sigma > 0]
    size, error = f"{report.stored_bytes / 1000:,.0f}", np.abs(of_noise)
    bias, more = f"{of_noise.mean():+.4f}", np.sqrt(1 + np.mean(of_noise**2)) - 1
    print(ROW.format(what, size, f"{error.mean():.3f}", f"{error.max():.2f}", bias, f"{more:.1%}"))


if __name__ == "__main__":
    main()
