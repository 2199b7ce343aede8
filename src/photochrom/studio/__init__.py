"""The studio: a local web page to colour photographs and films interactively, and its REST API.

``app`` starts and stops the server. ``guard`` refuses requests from other sites, ``server`` has the routes, ``uploads``
receives files. Each of the ``visitors`` has a tray of ``items``: ``photographs`` and ``films``. ``marks`` are colours
given by hand, ``history`` is undo and redo. ``render``, ``full_size`` and ``responses`` make the pictures and files to
send.
``archive``, ``archive_routes``: all photographs as files, coloured by the engine of ``photochrom batch``.
``jobs``: films that are being coloured. ``strings``: translations.
``static``: the page itself, in HTML, CSS and JavaScript modules that need no build step.
"""
