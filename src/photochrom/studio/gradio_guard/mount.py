"""The settings with which Gradio runs: closed to everything that the studio does not need."""

from __future__ import annotations

import os

from fastapi import FastAPI
from starlette.types import ASGIApp

from ..state import AppState

_SESSIONS = 100
"""Most sessions kept at a time, see ``presence``. One takes 2 to 20 MB."""


def mounted_page(state: AppState) -> ASGIApp:
    """Build the page and mount it as an ASGI application.

    Gradio is imported here and not before, because it reads ``GRADIO_TEMP_DIR`` on import.
    """
    os.environ["GRADIO_TEMP_DIR"] = str(state.shown)
    import gradio

    from .. import page
    from .presence import Presence, Sessions

    blocks = page.build(state)
    # Gradio checks that a file was uploaded only once it counts as launched. Mounting alone does not set this, and any
    # path of the server could be read then. A test asks for /etc/passwd.
    blocks.has_launched = True
    blocks.state_session_capacity = _SESSIONS
    blocks.queue(default_concurrency_limit=os.cpu_count(), api_open=False)
    app = gradio.mount_gradio_app(
        FastAPI(openapi_url=None),
        blocks,
        path="/",
        max_file_size=state.max_upload_bytes,
        theme=page.theme(),
        css=page.style(),
        head=page.head(),
        i18n=page.words(),
        show_error=False,  # the text of an unexpected error may name folders of the server
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
    )
    blocks.state_holder.session_data = sessions = Sessions()
    return Presence(app, sessions)
