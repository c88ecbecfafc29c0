"""Sphinx's configuration of the site that ``make docs`` builds of this folder.

No page loads anything from another host (tests/browser/test_site.py): furo uses the reader's own fonts, and the search
runs in the browser over an index that is part of the site.
"""

project = "AWX-compatible instance service"
html_title = project
extensions = ["myst_parser"]
html_theme = "furo"
html_favicon = "../awx_compat/static/awx_compat/icon.svg"
html_show_copyright = html_show_sphinx = html_copy_source = False
html_static_path, html_css_files = ["_static"], ["site.css"]
html_permalinks_icon = "#"
highlight_language = "none"  # what a block is written in, its fence says
smartquotes = False

myst_heading_anchors = 3  # links such as configuration.md#proxy-and-https, as on GitHub
myst_enable_extensions = ["attrs_inline"]  # which picture is for light and which for dark colours
nitpicky = True
