"""Signals in tests."""

import signal


def hear_ctrl_c() -> None:
    """Allow this process, and all processes that it starts, to be interrupted.

    A shell starts background jobs with SIGINT ignored, as does nohup, and children inherit this. A child of a process
    that handles the signal starts with the default action instead.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
