#!/usr/bin/env python3
"""Compares two files of --benchmark_out=FILE.json, benchmark by benchmark.

Exits with 1 where the new run is worse by more than the noise band, or fails where the old one did not;
with 2 where there is nothing to compare. Of repetitions the best one counts.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
import results  # noqa: E402

ERRORS = ("relative_l2_error", "relative_error")


def change(old, new, key):
    """By how much new is worse, as a fraction; negative where it is better."""
    if old == new:
        return 0.0
    if key in results.LESS_IS_BETTER:
        return (new - old) / old if old else float("inf")
    return (old - new) / new if new else float("inf")


def compare(old_runs, new_runs, key, band):
    """Rows (name, key, old, new, change, verdict), worst first, and the names that only one side has."""
    rows = []
    old_all, new_all = results.best(old_runs, key), results.best(new_runs, key)
    for name in old_all.keys() & new_all.keys():
        old, new = old_all[name], new_all[name]
        if old is None or new is None:
            verdict = "failed before" if old is None else "FAILED"
            rows.append((name, key, old, new, float("inf") if old is not None else 0.0, verdict))
            continue
        by = change(old, new, key)
        rows.append((name, key, old, new, by, "WORSE" if by > band else "better" if by < -band else "same"))
    # A path that became faster by becoming less accurate has not become faster.
    for error in ERRORS:
        if error == key:
            continue
        old_errors, new_errors = results.best(old_runs, error), results.best(new_runs, error)
        for name in old_errors.keys() & new_errors.keys():
            old, new = old_errors[name], new_errors[name]
            if old is not None and new is not None and change(old, new, error) > band:
                rows.append((name, error, old, new, change(old, new, error), "WORSE"))
    rows.sort(key=lambda row: (-row[4], row[0]))
    return rows, sorted(old_all.keys() ^ new_all.keys())


def show(value, key):
    if value is None:
        return "failed"
    return f"{value:,.0f} ns" if key.endswith("_time") else f"{value:.4g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--band", type=float, default=5.0, metavar="PERCENT", help="what counts as noise (default 5)")
    parser.add_argument("--by", default="real_time", metavar="WHAT", help="real_time, cpu_time or a counter (default real_time)")
    options = parser.parse_args()
    if not options.band >= 0:
        parser.error(f"--band must not be negative, got {options.band}")
    try:
        old_runs, new_runs = results.read(options.old)[1], results.read(options.new)[1]
    except results.BadResults as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    rows, alone = compare(old_runs, new_runs, options.by, options.band / 100)
    if not rows:
        print(f"compare.py: the files share no benchmark with {options.by}", file=sys.stderr)
        return 2
    width = max(len(row[0]) for row in rows)
    print(f"{'benchmark':{width}}  {'what':>17}  {'old':>14}  {'new':>14}  {'worse by':>9}")
    for name, key, old, new, by, verdict in rows:
        print(f"{name:{width}}  {key:>17}  {show(old, key):>14}  {show(new, key):>14}  {by * 100:>+8.1f}%  {verdict}")
    if alone:
        print(f"In one file only, not compared: {len(alone)}, such as {alone[0]}")
    worse = sum(row[5] in ("WORSE", "FAILED") for row in rows)
    print(f"{len(rows)} compared, noise band {options.band:g} %: {worse} worse.")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
