"""Run commands in this process, and expect success or one line of error."""

from click.testing import CliRunner

from h5vidstack.cli import main


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output + repr(result.exception)
    return result


def fails(*arguments, code=1):
    result = run(*arguments, code=code)
    if code == 1:
        assert result.stderr.startswith("Error: ")
        assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr
