"""Sphinx's configuration for `make docs-html`; the pages are the repository's Markdown files."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

project = "stackcook"
source = (ROOT / "stackcook/__init__.py").read_text()
version = release = re.findall(r'__version__ = "(.*)"', source)[0]
extensions = ["myst_parser"]
root_doc = "docs/README"
include_patterns = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**.md",
    "cookbooks/*/README.md",
    "cookbooks/*/ATTRIBUTES.md",
    "examples/README.md",
]
exclude_patterns = [".*", "build", "dist", "man", "tests"]
myst_heading_anchors = 4  # as on GitHub
smartquotes = False  # options such as --json keep their hyphens
highlight_language = "text"
html_theme = "furo"
# Debian's furo imports this file from /javascript, which only a web server of Debian's has.
html_static_path = ["/usr/share/javascript/normalize.css/normalize.css"]
html_css_files = [("normalize.css", {"priority": 100})]  # before the theme's own styles
html_title = f"stackcook {version}"
html_extra_path = ["root"]  # index.html leads to the first page
html_copy_source = False
html_show_copyright = False


def navigation(_app, name: str, source: list[str]) -> None:
    """Make the lists of docs/README.md the navigation; leave the pages of cookbooks out of it."""
    if name == root_doc:
        for heading, links in re.findall(r"^## (.+)\n\n((?:- .+\n)+)", source[0], re.MULTILINE):
            pages = re.findall(r"^- \[(.+?)\]\((.+?)\.md\)", links, re.MULTILINE)
            listed = "\n".join(f"{title} <{page}>" for title, page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{listed}\n```\n"
    elif name.startswith(("cookbooks/", "examples/")):
        source[0] = f"---\norphan: true\n---\n{source[0]}"


def setup(app) -> None:
    app.connect("source-read", navigation)
