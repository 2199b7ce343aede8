"""Everything that restrains Gradio.

``requests``: a filter in front of Gradio that passes only the requests that the page needs.
``presence``: decides how long Gradio keeps a visitor's session, and whose is dropped first.
``mount``: the settings with which Gradio runs.
"""
