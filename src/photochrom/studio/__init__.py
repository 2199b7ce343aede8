"""The studio: a page, served on the user's own machine, where photographs and films are coloured interactively.

``app``: starts the server and stops it, together with its folder of temporary files.
``guard``: refuses requests from elsewhere. ``uploads``: receives files. ``server``: the routes.
``visitors``: whose tray it is. ``items``, ``photographs``, ``films``: the items of a tray.
``marks``, ``history``: colours put by hand, undo and redo. ``render``, ``full_size``, ``responses``: what is sent back.
``archive``, ``archive_routes``: all photographs as files, coloured by the engine of ``photochrom batch``.
``jobs``: films that are being coloured. ``strings``: translations.
``static``: the page itself, in HTML, CSS and JavaScript modules that need no build step.
"""
