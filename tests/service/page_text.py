"""What a reader sees of a page."""

from __future__ import annotations

import re
from html import unescape


def text_of(page: str) -> str:
    """What a reader sees: no scripts, no tags."""
    bare = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())
