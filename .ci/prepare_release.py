"""Prepare a checkout for the package index: python .ci/prepare_release.py https://github.com/OWNER/NAME TAG.

The index shows README.md on a page of its own, where relative links lead nowhere: they become absolute. pyproject.toml
gets the project's addresses.
"""

import re
import sys
from pathlib import Path

RELATIVE = r"(?!https?://|#|mailto:)"


def main(address: str, tag: str) -> None:
    """Rewrite README.md and pyproject.toml in the working directory."""
    readme, project = Path("README.md"), Path("pyproject.toml")
    text = re.sub(rf"(!\[[^]]*\]\(){RELATIVE}", rf"\1{address}/raw/{tag}/", readme.read_text())
    readme.write_text(re.sub(rf"((?<!!)\[[^]]*\]\(){RELATIVE}", rf"\1{address}/blob/{tag}/", text))
    urls = {"Repository": address, "Issues": f"{address}/issues", "Changelog": f"{address}/blob/{tag}/CHANGELOG.md"}
    table = "\n".join(["[project.urls]", *(f'{name} = "{url}"' for name, url in urls.items())])
    project.write_text(project.read_text().replace("[project.scripts]", f"{table}\n\n[project.scripts]"))


if __name__ == "__main__":
    main(*sys.argv[1:])
