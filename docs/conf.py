"""The documentation's site: pip install -e ".[docs]" && sphinx-build -W docs docs/_build."""

import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[1])]

import pages

import mnistgen

project = "mnistgen"
author = copyright = "The mnistgen maintainers"  # noqa: A001 - Sphinx's name for it
version = release = mnistgen.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build", "_*.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nitpicky = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name
    for name in (
        "ArrayLike",
        "AttributeLike",
        "Classes",
        "Device",
        "DigitLike",
        "Float32",
        "Int64",
        "Label",
        "LabelLike",
        "Model",
        "Span",
        "UInt8",
    )
}
autodoc_mock_imports = ["torch", "ray"]
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = "mnistgen"
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": False,
}
html_show_sourcelink = False
html_sidebars = {page.stem: [] for page in Path(__file__).parent.glob("[!_]*.md") if page.stem != "models"}

pages.write(Path(__file__).parent)


def _plain_aliases(app, what, name, obj, options, signature, returns):  # noqa: ANN001, ANN202
    return tuple(text and re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text) for text in (signature, returns))


def setup(app):  # noqa: ANN001, ANN201
    """Show aliases of types by name in unions too."""
    app.connect("autodoc-process-signature", _plain_aliases)
