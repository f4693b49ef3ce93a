# SPDX-License-Identifier: Apache-2.0
"""Look for dead links in the built site, and for links to files that the repository lacks.

Usage: python scripts/check_links.py SITE

Every link and picture of every page must lead to a file of the site, and a fragment to an element
with that id. Links into the repository on the forge must name files of this checkout. Other
addresses are not visited: the site is built without network.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
FORGE = "https://github.com/axhil/axhil/"
_ON_BRANCH = re.compile(r"(?:blob|tree|raw|edit)/main/(.+)")
_MADE_BY_THE_FORGE = ("issues", "security/advisories", "releases")


class _Page(HTMLParser):
    """The links of a page, and what links can lead to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name in ("href", "src"):
                self.links.append(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value)


def read(site: Path) -> dict[Path, _Page]:
    """Every page of a site."""
    found = {}
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text())
        found[path] = page
    return found


def dead_links(site: Path) -> Iterator[str]:
    """A sentence for each link that leads nowhere."""
    site = site.resolve()
    pages = read(site)
    for path, page in pages.items():
        if path.name == "404.html":  # its links are those of the site's root, wherever it is shown
            continue
        for link in dict.fromkeys(page.links):
            reason = _dead(link, path, site, pages)
            if reason:
                yield f"{path.relative_to(site)}: {link}: {reason}"


def _dead(link: str, path: Path, site: Path, pages: dict[Path, _Page]) -> str:
    if link.startswith(FORGE):
        return _dead_on_forge(urlsplit(link).path)
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site) or not target.is_file():
        return "no such file"
    fragment = unquote(parts.fragment)
    if fragment and target in pages and fragment not in pages[target].ids:
        return "no such section"
    return ""


def _dead_on_forge(path: str) -> str:
    inside = path.removeprefix(urlsplit(FORGE).path)
    on_branch = _ON_BRANCH.fullmatch(inside)
    if on_branch:
        return "" if (ROOT / unquote(on_branch[1])).exists() else "no such file in the repository"
    return "" if not inside or inside.startswith(_MADE_BY_THE_FORGE) else "expected blob/main/FILE"


def main() -> None:
    """Print the dead links; exit code 1 if there are any."""
    (site,) = map(Path, sys.argv[1:])
    found = list(dead_links(site))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
