"""Makes the pages of the documentation site out of docs/: names for every page, links between them, a tree with a node per room.

    pages.py DOCS_FOLDER OUTPUT_FOLDER
"""
import pathlib
import re
import sys

LINK = re.compile(r"\[([^\]\[]+)\]\(([^)\s]+)\)")
ROOM = re.compile(r"^\* \[([^\]]+)\]\(([a-z_]+)/\)(.*)$", re.MULTILINE)


def label(page):
    """Of a path below docs/: search/beam.md is page_search_beam; the main page is called index."""
    if page == pathlib.Path("index.md"):
        return "index"
    return "page_" + re.sub(r"\W", "_", page.with_suffix("").as_posix())


def linked(text, page, docs):
    """Links to other pages by their names; links to files that are no pages become plain text."""
    def replace(match):
        name, target = match.groups()
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            return match[0]
        path = (docs / page.parent / target.split("#")[0]).resolve()
        if path.suffix == ".md" and path.is_relative_to(docs):
            if not path.exists():
                sys.exit(f"docs/{page}: the link to {target} leads nowhere")
            return f"[{name}](@ref {label(path.relative_to(docs))})"
        return name
    return LINK.sub(replace, text)


def titled(text, page, name):
    """With a name behind the first heading."""
    if not text.startswith("# "):
        sys.exit(f"docs/{page}: a page begins with its title, \"# ...\"")
    return re.sub(r"^# (.*)$", rf"# \1 {{#{name}}}", text, count=1, flags=re.MULTILINE)


def main():
    docs, output = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("*.md"):
        old.unlink()
    pages = sorted(path.relative_to(docs) for path in docs.rglob("*.md"))
    index = pathlib.Path("index.md")
    text = (docs / index).read_text(encoding="utf-8")

    rooms = {room: (name, rest.lstrip(": ")) for name, room, rest in ROOM.findall(text)}
    for page in pages:
        if len(page.parts) > 1 and page.parts[0] not in rooms and f"({page})" not in text:
            sys.exit(f"docs/{page}: docs/index.md has neither its folder nor the page")
        if len(page.parts) == 1 and page != index and f"({page})" not in text:
            sys.exit(f"docs/{page}: docs/index.md does not have it")

    for room, (name, what) in rooms.items():
        members = "\n".join(f"* @subpage {label(page)}" for page in pages if page.parts[0] == room)
        content = f"# {name} {{#page_{room}}}\n{what[:1].upper()}{what[1:]}.\n\n{members}\n"
        (output / f"page_{room}.md").write_text(content, encoding="utf-8")
    for page in pages:
        if page == index:
            continue
        content = titled((docs / page).read_text(encoding="utf-8"), page, label(page))
        (output / f"{label(page)}.md").write_text(linked(content, page, docs), encoding="utf-8")

    # The index is the root of the tree: its links become branches, in their order.
    text = ROOM.sub(r'* @subpage page_\2 "\1"\3', text)
    text = re.sub(r"\[([^\]\[]+)\]\(([a-z_/]+\.md)\)", lambda match: f'@subpage {label(pathlib.Path(match[2]))} "{match[1]}"', text)
    (output / "index.md").write_text(titled(linked(text, index, docs), index, "mainpage"), encoding="utf-8")


main()
