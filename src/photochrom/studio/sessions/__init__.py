"""Sessions of the studio's visitors.

``slots``: where a session is kept between two clicks, and how errors reach the page.
``photo`` and ``film``: the session of a photograph and of a film, independent of Gradio.
``film_job``: the long-running job of a film, which can be stopped.
"""
