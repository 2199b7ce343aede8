"""The verbs of the command line, one module each: ``add`` declares a verb's arguments, and ``run`` carries it out.

``arguments`` declares what several verbs share, ``parser`` corrects misspellings, ``settings`` reads the user's
defaults, ``console`` prints results and progress, ``kinds`` tells photographs from films.

Heavy imports stay inside the functions, so that ``photochrom --help`` answers at once.
"""

INTERRUPTED = 130
"""Exit status after Ctrl+C."""
