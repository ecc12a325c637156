"""Run something in a forked child of pytest, of which nothing but an exit code comes back."""

import os
import signal
import traceback
from collections.abc import Callable


def holds_in_a_fork(claim: Callable[[], object]) -> bool:
    """Whether a claim is true in a forked child; what it raises is printed, and makes it false.

    The child ends here whatever happens: otherwise it would go on as a second pytest. It is
    stopped after a minute, so that a lock that the fork lost is not waited for for ever.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(60)
            code = 0 if claim() else 1
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0
