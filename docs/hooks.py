"""MkDocs hook: on the site, links to files outside ``docs`` point to the repository."""

import re
from typing import Any


def on_page_markdown(markdown: str, config: Any, **_: Any) -> str:
    """Replace ``](../FILE)`` by the file's address in the repository."""
    return re.sub(r"\]\((?:\.\./)+([^)]+)\)", rf"]({config.repo_url}/blob/main/\1)", markdown)
