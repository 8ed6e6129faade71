"""A page without network, light and dark, to which every script adds a section of its own."""
import os
import re

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


def put_section(path, name, content):
    """Writes the page anew with this section in place of an earlier one of its name, or behind the others."""
    sections = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            sections = dict(re.findall(r"<section id=\"([a-z_]+)\">\n(.*?)\n</section>\n", file.read(), re.DOTALL))
    sections[name] = content
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(HEAD)
        for key, value in sections.items():
            file.write(f'<section id="{key}">\n{value}\n</section>\n')
        file.write(TAIL)
    os.replace(path + ".part", path)
