"""The command line: one module per verb, with ``add`` to declare its arguments and ``run`` to execute it.

``arguments`` declares shared arguments, ``parser`` suggests corrections, ``settings`` reads the user's defaults,
``console`` prints results and progress, ``file_kinds`` distinguishes photographs from films.

Modules import heavy libraries inside functions, so that ``photochrom --help`` starts quickly.
"""

INTERRUPTED = 130
"""Exit status after Ctrl+C."""
