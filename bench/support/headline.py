#!/usr/bin/env python3
"""Prints the headline figures against their goals and writes bench-report.html.

Reads rounds of the benchmark programs, each a folder of --benchmark_out files. A figure is a ratio inside
one process; of several rounds the best one counts.
"""
import argparse
import html
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import results  # noqa: E402
import roofline  # noqa: E402

SHAPE = "4096x4096"


class Row:
    """One goal: `names` of which the best counts, a counter, and its goal per class of CPU."""

    def __init__(self, label, names, counter, unit, vbmi, vnni, max_error=(None, None)):
        self.label, self.names, self.counter, self.unit = label, names, counter, unit
        self.goal = {"avx512vbmi": vbmi, "avx512vnni": vnni}
        self.max_error = dict(zip(("avx512vbmi", "avx512vnni"), max_error))


def rows(arch):
    """Goals of a CPU whose best path is `arch`."""
    vectors = "131072"

    def matvec(scheme, precision, suffix="", path=arch):
        return [f"lut_matvec/{scheme}/{precision}/{path}/{SHAPE}{suffix}"]

    def matmul(precision, batch):
        return [f"dequantize_matmul/2x8g8/{precision}/{arch}/{SHAPE}/{batch}"]

    def levels(operation, name, suffix="", path=arch):
        return [f"{operation}/{name}/a8/{path}/{SHAPE}{suffix}"]

    read, sgemv, sgemm, faiss = "of_read_limit", "x_sgemv", "x_sgemm", "x_faiss"
    in_read, in_sgemv, in_sgemm, in_faiss = "of the bare read", "x fp32 sgemv", "x fp32 sgemm", "x faiss"
    any_precision = [name for p in ("exact", "int16", "int8") for name in matvec("2x8g8", p, path="avx2")]
    return [
        Row("matvec 2x8g8 int8, warm", matvec("2x8g8", "int8"), sgemv, in_sgemv, 24, 14, (0.008, 0.012)),
        Row("matvec 2x8g8 int8, warm", matvec("2x8g8", "int8"), read, in_read, 0.82, None),
        Row("matvec 2x8g8 int8, cold", matvec("2x8g8", "int8", "/cold"), read, in_read, 0.86, 0.85),
        Row("matvec 2x8g8 int16, warm", matvec("2x8g8", "int16"), sgemv, in_sgemv, 16.5, 8, (0.0003, 0.002)),
        Row("matvec 2x8g8 exact, warm", matvec("2x8g8", "exact"), sgemv, in_sgemv, 4.8, 3.4),
        Row("matvec 4x4g8 int8, warm", matvec("4x4g8", "int8"), read, in_read, 0.90, 0.85),
        Row("matvec 4x4g8 int8, cold", matvec("4x4g8", "int8", "/cold"), read, in_read, 0.92, 0.97),
        Row("dequantize 2x8g8 to fp32, 16 rows x 256", [f"lut_dequantize/2x8g8/fp32/{arch}/{SHAPE}/16x256"],
            "of_store_limit", "of the bare store", 0.55, 0.40),
        Row("dequantize 2x8g8 to fp32, one row", [f"lut_dequantize/2x8g8/fp32/{arch}/{SHAPE}/1x4096"],
            "of_store_limit", "of the bare store", 0.55, 0.40),
        Row("decode to 8 bits and multiply by one vector", matmul("int8", 1), "weights_per_ns", "weights per ns", 19, 14),
        Row("matmul 2x8g8 int8, batch 32", matmul("int8", 32), sgemm, in_sgemm, 5.5, 3),
        Row("matmul 2x8g8 int8, batch 512", matmul("int8", 512), sgemm, in_sgemm, 4.6, 2.4),
        Row("matmul 2x8g8 int16, batch 512", matmul("int16", 512), sgemm, in_sgemm, 2, 1.5, (0.002, 0.002)),
        Row("nearest codeword, K = 256", [f"assign/g8/fp32/native/256x{vectors}"], faiss, in_faiss, 3.5, 15),
        Row("k-means iteration, K = 256", [f"k_means/g8/fp32/native/256x{vectors}"], faiss, in_faiss, 3.5, 15),
        Row("greedy encode 2x8g8", [f"greedy_encode/2x8g8/fp32/native/256x{vectors}"], faiss, in_faiss, 35, 16),
        Row("AVX2 matvec 2x8g8, best precision", any_precision, sgemv, in_sgemv, 3, 3),
        Row("AVX2 matvec 4x4g8 int8", matvec("4x4g8", "int8", path="avx2"), sgemv, in_sgemv, 15, 15),
        Row("matvec 2x8g8 int8, two threads", matvec("2x8g8", "int8", "/two_threads"), "x_one_thread", "x one", 1.95, 1.95),
        Row("matvec 4x4g8 int8, two threads", matvec("4x4g8", "int8", "/two_threads"), "x_one_thread", "x one", 1.95, 1.95),
        Row("matvec 2-bit levels x int8, warm", levels("level_matvec", "mnz"), read, in_read, 0.85, 0.85),
        Row("matvec 2-bit levels x int8, cold", levels("level_matvec", "mnz", "/cold"), read, in_read, 0.90, 0.90),
        Row("matvec 2-bit levels x int8, warm", levels("level_matvec", "mnz"), sgemv, in_sgemv, 25, 25),
        Row("matvec powers of two x int8, warm", levels("level_matvec", "pot"), "x_mnz", "x mirror no-zero", 1, 1),
        Row("matvec powers of two x int8, cold", levels("level_matvec", "pot", "/cold"), "x_mnz", "x mirror no-zero", 1, 1),
        Row("matmul 2-bit levels x int8, batch 32", levels("level_matmul", "mnz", "/32"), sgemm, in_sgemm, 5, 5),
        Row("matmul 2-bit levels x int8, batch 512", levels("level_matmul", "mnz", "/512"), sgemm, in_sgemm, 4, 4),
        Row("matvec 2-bit levels x int8, two threads", levels("level_matvec", "mnz", "/two_threads"), "x_one_thread", "x one", 1.9, 1.9),
    ]


def best_run(runs, row):
    """The run with the best figure of a row, or one that failed, or None."""
    found = [run for run in runs if run["name"] in row.names]
    good = [run for run in found if "error" not in run and row.counter in run]
    if good:
        return max(good, key=lambda run: run[row.counter])
    return next((run for run in found if "error" in run), None)


def best_arch(runs):
    """The widest path that ran, by the order in which the library offers them."""
    archs = [run["name"].split("/")[3] for run in runs if run["name"].startswith("lut_matvec/")]
    for arch in ("avx512vbmi", "avx512vnni"):
        if arch in archs:
            return arch
    return next((arch for arch in reversed(archs) if arch != "avx2"), "scalar")


def table(runs, arch):
    """(cells, verdict) per row: what, measured, error, goal; verdict is met, missed, failed, or empty."""
    lines = []
    for row in rows(arch):
        goal, limit = row.goal.get(arch), row.max_error.get(arch)
        aim = "" if goal is None else f">= {goal:g}"
        if limit is not None:
            aim += f", error <= {limit * 100:g} %"
        run = best_run(runs, row)
        if run is None or "error" in run:
            measured = "not measured" if run is None else "failed: " + run["error"]
            lines.append(((row.label, measured, "", aim), "" if run is None else "failed"))
            continue
        value, error = run[row.counter], run.get("relative_l2_error", run.get("relative_error"))
        met = (goal is None or value >= goal) and (limit is None or error <= limit)
        shown = "" if error is None else f"{error * 100:.2g} %"
        verdict = "" if goal is None else "met" if met else "missed"
        lines.append(((row.label, f"{value:.3g} {row.unit}", shown, aim), verdict))
    return lines


HEAD = ("what", "measured", "error", "goal", "")


def print_table(lines):
    cells = [HEAD] + [(*cells, verdict) for cells, verdict in lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def machine(context):
    """One line on where this ran."""
    name = "unknown CPU"
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        fields = dict(line.split(":", 1) for line in cpuinfo.read_text().split("\n\n")[0].splitlines() if ":" in line)
        fields = {key.strip(): value.strip() for key, value in fields.items()}
        name = fields.get("model name", name)
        if "cpu family" in fields:
            name += f", family {fields['cpu family']} model {fields.get('model', '?')}"
    caches = ", ".join(f"L{c['level']} {c['size'] // 1024} KiB" for c in context.get("caches", []) if c.get("type") != "Instruction")
    return (f"{name}; {context.get('num_cpus', '?')} CPUs; {caches}; {context.get('compiler', '?')} -O3 -march=native; "
            f"OpenBLAS core {context.get('openblas_core', '?')}")


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>basin: benchmarks</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; --ground: #fff; --ink: #1f2328; --muted: #59636e; --line: #d1d9e0;
  --purple: #8250df; --blue: #0969da; --orange: #bc4c00; --green: #1a7f37; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ground: #0d1117; --ink: #e6edf3; --muted: #9198a1; --line: #3d444d;
  --purple: #bc8cff; --blue: #58a6ff; --orange: #f0883e; --green: #3fb950; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--ink); background: var(--ground); }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.2rem; margin-top: 2.5rem; }}
.wide {{ overflow-x: auto; }} svg {{ display: block; width: 100%; min-width: 40rem; height: auto; }}
table {{ border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }}
td, th {{ border-bottom: 1px solid var(--line); padding: .25rem .75rem; text-align: left; white-space: nowrap; }}
td:first-child, th:first-child {{ padding-left: 0; }}
.met {{ color: var(--green); }} .missed, .failed {{ color: var(--orange); font-weight: 600; }}
</style>
</head>
<body>
<h1>basin: benchmarks</h1>
<p>{machine}. Best of {rounds} rounds; every figure is a ratio inside one process.</p>
<h2>Goals</h2>
<div class="wide" tabindex="0"><table><tr>{head}</tr>
{lines}
</table></div>
<h2>Roofline</h2>
<p>Matrix-vector products with one thread. To the right a weight takes fewer bytes; sloping lines are what reading them
allows, the level line is what the fp32 multiply-adds of this CPU allow. Filled marks: matrices from beyond the caches.</p>
<div class="wide" tabindex="0">{chart}</div>
</body>
</html>
"""


def write_report(path, lines, rounds, context, chart):
    escape = html.escape
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + f'<td class="{verdict}">{verdict}</td></tr>'
        for cells, verdict in lines)
    path.write_text(PAGE.format(machine=escape(machine(context)), rounds=rounds, lines=body, chart=chart,
                                head="".join(f"<th>{cell}</th>" for cell in HEAD)), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="+", type=pathlib.Path, help="folders of results")
    parser.add_argument("--report", type=pathlib.Path, help="the HTML file to write")
    options = parser.parse_args()
    runs, context = [], {}
    try:
        for folder in options.rounds:
            for file in sorted(folder.glob("*.json")):
                context, more = results.read(file)
                runs += more
    except results.BadResults as error:
        print(f"headline.py: {error}", file=sys.stderr)
        return 2
    if not runs:
        print(f"headline.py: no results in {', '.join(map(str, options.rounds))}", file=sys.stderr)
        return 2
    arch = best_arch(runs)
    lines = table(runs, arch)
    print(machine(context))
    print(f"Path: {arch}. Best of {len(options.rounds)} rounds.\n")
    print_table(lines)
    count = {verdict: sum(line[1] == verdict for line in lines) for verdict in ("met", "missed", "failed")}
    print(f"\n{count['met']} met, {count['missed']} missed, {count['failed']} failed.")
    if options.report:
        write_report(options.report, lines, len(options.rounds), context, roofline.chart(runs, arch, SHAPE))
        print(f"Report: {options.report}")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
