"""The verbs of the command line, one module each: ``add`` says what a verb takes, and its function does it.

Heavy imports stay inside the functions, so that ``photochrom --help`` answers at once.
"""

INTERRUPTED = 130
"""Exit status where Ctrl-C was pressed."""
