"""What users read: the README and the guides, and the blocks of code in them."""

import re

from support.programs import ROOT

README = ROOT / "README.md"
GUIDES = ROOT / "sbpam_cli" / "guides"
PAGES = [README, *sorted(GUIDES.glob("*.md"))]


def blocks(mark: str) -> list[tuple[str, str]]:
    """What follows the mark in its comment, and the block: the README's, then the guides'."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    found = re.findall(rf"<!-- {mark} ?([^>]*?) ?-->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"no block is marked {mark}"
    return found
