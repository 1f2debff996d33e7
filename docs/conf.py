"""Sphinx builds these pages: `make docs`, into build/docs/html.

Why Sphinx and not mkdocs-material: autodoc and napoleon read the package's Google docstrings as
they are; doctest, a check of every cross-reference (``-n``) and warnings as errors (``-W``) are
built in; and mkdocs-material is in maintenance mode. Pages are Markdown by MyST, as the README is;
furo reads well on a phone and in the dark. Nothing is fetched: no inventory of another project, no
font, no MathJax, so the build needs no network and the pages work from a disk.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# recipes/, of which a page shows examples, is not installed.
sys.path.insert(0, str(ROOT))

project = "asteroid-karaoke"
author = "asteroid-karaoke developers"
project_copyright = author
release = re.findall(
    r'^__version__ = "(.+)"$', (ROOT / "asteroid_karaoke" / "__init__.py").read_text(), re.MULTILINE
)[0]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
]
html_theme = "furo"
html_title = f"asteroid-karaoke {release}"
html_show_copyright = False
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_custom_sections = ["Shape"]
napoleon_use_rtype = False

# Asteroid needs torchaudio mended before it is imported, which importing the package does.
doctest_global_setup = "import torch, asteroid_karaoke\ntorch.set_num_threads(1)"
# Examples in docstrings use their module's own names: tests/test_docs.py runs them.
doctest_test_doctest_blocks = ""

# Names of other libraries, whose inventories only the network has, and names of our own that nobody
# is to use, where something public is built on one.
OTHERS = "abc|asteroid|collections|matplotlib|nn|np|numpy|os|pathlib|pl|pytorch_lightning|torch"
nitpick_ignore_regex = [
    (r"py:.*", rf"({OTHERS})\..*"),
    (r"py:.*", r"(.*\.)?_\w+"),
    (r"py:class", r"asteroid_karaoke\.(parts|report\.collect)\.\w+"),
]


def setup(app):
    """What Sphinx does not do by itself."""
    hidden: dict[str, list[str]] = {}

    # napoleon takes what stands before a colon in the comment of a constant for its type.
    def hide(app, what, name, obj, options, lines):
        if what in ("attribute", "data"):
            hidden[name], lines[:] = lines[:], []

    def show(app, what, name, obj, options, lines):
        lines[:] = hidden.pop(name, lines)

    app.connect("autodoc-process-docstring", hide, priority=400)
    app.connect("autodoc-process-docstring", show, priority=600)
    app.connect("missing-reference", find_by_last_name)


def find_by_last_name(app, env, node, contnode):
    """Link a name to where it is documented, if that is one place.

    Docstrings and annotations name things by where they are imported from, or by their last name.
    """
    domain = env.get_domain("py")
    target = node.get("reftarget", "").removeprefix("asteroid_karaoke.")
    names = [name for name in domain.objects if name.endswith("." + target)]
    if node.get("refdomain") != "py" or not target or len(names) != 1:
        return None
    return domain.resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], names[0], node, contnode
    )
