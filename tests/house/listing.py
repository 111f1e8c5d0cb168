"""The list of files in ARCHITECTURE.md: `python -m tests.house.listing` writes it.

Between its two markers stands one table per folder; everything else of the page is hand-written.
"""

import re
import sys
from collections import defaultdict

from tests.house import tree

PAGE = "ARCHITECTURE.md"
BEGIN, END = "<!-- files: begin -->", "<!-- files: end -->"
WHOLE = ("playbooks/roles/", "kite/v1/", "tests/", "provisioner/milvus/wire/", "bff/docs/")
ROW = re.compile(r"^\| `([^`]+)` \|")
HEADING = re.compile(r"^### `([^`]+)`")


def listed():
    """Folder to its files; a folder of many alike (a role, tests) stands for its files."""
    found = defaultdict(set)
    for name in tree.files():
        if not name.startswith((*tree.PRODUCT, "tests")):
            continue
        whole = next((one for one in WHOLE if name.startswith(one)), None)
        if whole:
            depth = whole.count("/") + 1
            parts = name.split("/")
            if len(parts) > depth:
                found[whole].add("/".join(parts[whole.count("/") : depth]) + "/")
            else:
                found[whole].add(parts[-1])
            continue
        if tree.text(name).strip():
            folder, _, file = name.rpartition("/")
            found[f"{folder}/"].add(file)
    return {folder: sorted(names) for folder, names in sorted(found.items())}


def described(folder, name):
    path = folder + name
    if name.endswith("/"):
        first = next((one for one in (f"{path}__init__.py",) if one in tree.files()), "")
        readme = f"{path}README.md"
        if readme in tree.files():
            lines = [x for x in tree.text(readme).splitlines() if x and not x.startswith("#")]
            return lines[0].split(". ")[0].rstrip(".") if lines else ""
        told = [one for one in (first, f"{path}conftest.py") if one in tree.files()]
        return next((tree.purpose(one) for one in told if tree.text(one).strip()), "")
    return tree.purpose(path)


def rendered():
    parts = []
    for folder, names in listed().items():
        parts += [f"### `{folder}`", "", "| file | purpose |", "|---|---|"]
        parts += [f"| `{name}` | {described(folder, name).replace('|', '/')} |" for name in names]
        parts.append("")
    return "\n".join(parts)


def on_page(page):
    """What the page lists now, in the form of `listed`."""
    found = defaultdict(set)
    folder = ""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    for line in inside.splitlines():
        if heading := HEADING.match(line):
            folder = heading[1]
        elif row := ROW.match(line):
            found[folder].add(row[1])
    return {folder: sorted(names) for folder, names in sorted(found.items())}


def main():
    path = tree.ROOT / PAGE
    page = path.read_text() if path.exists() else f"# Architecture\n\n{BEGIN}\n{END}\n"
    if BEGIN not in page:
        page = f"{page.rstrip()}\n\n## Every file\n\n{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n{rendered()}{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
