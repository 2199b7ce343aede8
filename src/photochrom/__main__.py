"""Entry point for ``photochrom`` and ``python -m photochrom``."""

from .signals import ending_at_once


def run() -> None:
    """Run the command and exit; the entry point of ``photochrom``.

    Ctrl-C ends the process silently while the command line is being loaded; afterwards ``commands.main`` handles it.
    """
    with ending_at_once("SIGINT"):
        from .commands.main import run as run_command
    run_command()


if __name__ == "__main__":
    run()
