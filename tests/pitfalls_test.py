"""The table of numerical pitfalls in docs/security.md names tests that exist, and all of them."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
page = (root / "docs/security.md").read_text()
rows = re.findall(r"^\| (.+?) \|.*\| (`.+`) \|$", page.split("## Numerical pitfalls")[1].split("\n## ")[0], re.M)
tests = set()
for source in root.glob("tests/*/*_test.cpp"):
    for name, tags in re.findall(r'TEST_CASE\(\s*"((?:[^"\\]|\\.)*)",\s*"([^"]*)"', source.read_text()):
        if "[pitfall]" in tags:
            tests.add(name)

problems = []
named = set()
for pitfall, cell in rows:
    for name in re.findall(r"`([^`]+)`", cell):
        named.add(name)
        if name not in tests:
            problems.append(f"no test tagged [pitfall] is named: {name}")
        if not name.startswith(pitfall):
            problems.append(f"the name does not begin with its pitfall, {pitfall}: {name}")
problems += [f"not in the table: {name}" for name in sorted(tests - named)]
if len(rows) != 22:
    problems.append(f"{len(rows)} rows, not 22")
print("\n".join(problems) or f"{len(rows)} pitfalls, {len(named)} tests")
sys.exit(bool(problems))
