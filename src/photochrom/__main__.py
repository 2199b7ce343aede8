"""Entry point for ``photochrom`` and ``python -m photochrom``."""

from .signals import ending_at_once


def run() -> None:
    """Run the command line of the process and exit; this is the entry point of ``photochrom``.

    While the command line is being loaded, Ctrl+C ends the process silently; afterwards ``commands.main`` handles it.
    """
    with ending_at_once("SIGINT"):
        from .commands.main import run as run_command
    run_command()


if __name__ == "__main__":
    run()
