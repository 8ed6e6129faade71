"""A page without network, light and dark, to which every script adds a section of its own.

    report_page.py NEW PAGE     NEW in place of PAGE; sections that only PAGE had stay
"""
import os
import re
import sys

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>basin: report</title>
<style>
:root { color-scheme: light dark; --line: #8886; --faint: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; }
tbody tr:hover { background: var(--faint); }
.wide { overflow-x: auto; }
</style>
</head>
<body>
<h1>basin: report</h1>
"""
TAIL = "</body>\n</html>\n"


SECTION = re.compile(r"<section id=\"([a-z_]+)\">\n(.*?)\n</section>\n", re.DOTALL)


def read(path):
    """The page's text, and its sections by name."""
    if not os.path.exists(path):
        return HEAD + TAIL, {}
    with open(path, encoding="utf-8") as file:
        text = file.read()
    return text, {match[1]: match[0] for match in SECTION.finditer(text)}


def write(path, text):
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.part", path)


def with_section(text, sections, name, section):
    """The page with this section in place of its own of that name, or behind the others."""
    if name in sections:
        return text.replace(sections[name], section)
    return text.replace(TAIL, section + TAIL)


def put_section(path, name, content):
    """Writes the page anew with this section in place of an earlier one of its name, or behind the others."""
    text, sections = read(path)
    write(path, with_section(text, sections, name, f'<section id="{name}">\n{content}\n</section>\n'))


def replace_page(new, path):
    """Puts the page `new` at `path`; sections that only the page there had stay, behind its own."""
    text, sections = read(new)
    for name, section in read(path)[1].items():
        if name not in sections:
            text = with_section(text, sections, name, section)
    write(path, text)


if __name__ == "__main__":
    replace_page(*sys.argv[1:])
