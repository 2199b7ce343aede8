"""The studio: a local web page to colour photographs and films interactively, and its REST API.

``app`` starts and stops the server. ``cross_site_guard`` refuses requests from other sites, ``server`` has the routes,
``stateless_api`` has those that need no session, and ``uploads`` receives files. ``state`` holds what all visitors
share. Each of the ``visitors`` has a tray of ``items``: ``photographs`` and ``films``. ``pictures`` holds their display
copies, ``marks`` the colours that visitors give by hand, and ``history`` undoes and redoes choices. ``render``,
``full_size`` and ``responses`` make the pictures and files to send. ``archive`` and ``archive_routes`` colour all
photographs of a tray, with the code of ``photochrom batch``. ``jobs`` runs long work in the background, and
``strings`` translates the page. The page itself is in ``static``: HTML, CSS and JavaScript modules that need no build
step.
"""
