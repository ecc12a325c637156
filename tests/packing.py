"""Pack frames and read them back, with what the stack says of itself."""

from click.testing import CliRunner

import h5vidstack
from h5vidstack.cli import main


def packed(frames, **options):
    report = h5vidstack.pack(frames, "x.h5", overwrite=True, **options)
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        return report, stack[:], dict(stack.attrs)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result
