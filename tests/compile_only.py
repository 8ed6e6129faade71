"""Compiles files of a configured build folder without making objects, warnings as errors.

    compile_only.py BUILD_FOLDER PATTERN [JOBS]

PATTERN is searched for in their paths. Needs CMAKE_EXPORT_COMPILE_COMMANDS, which our own builds have.
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys


def main():
    folder, pattern, jobs = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
    entries = json.loads((pathlib.Path(folder) / "compile_commands.json").read_text(encoding="utf-8"))
    commands = {entry["file"]: entry["command"] for entry in entries}
    files = [file for file in commands if re.search(pattern, file)]

    def is_clean(file):
        arguments = [a for a in commands[file].split() if not a.startswith("-fsanitize")]
        return subprocess.run(" ".join(arguments) + " -Werror -fsyntax-only", shell=True, cwd=folder, check=False).returncode == 0

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        faults = sum(not clean for clean in pool.map(is_clean, files))
    print(len(files), "files read,", faults, "with errors or warnings")
    sys.exit(faults > 0 or not files)


if __name__ == "__main__":
    main()
