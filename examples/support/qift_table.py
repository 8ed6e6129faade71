"""Prints the ablation of scalar levels from what qift_table.sh left, and adds it to the report page.

    qift_table.py RESULTS_FOLDER [--report PAGE]
"""
import argparse
import glob
import html
import json
import os
import platform
import statistics

import report_page

NAMES = {"sym_int": "SYM-INT", "w_asym": "W-ASYM", "mnz": "mirror no-zero", "pot": "PoT", "far": "FAR", "lloyd_max": "Lloyd-Max",
         "int3": "int3", "int4": "int4"}
SETS = ("sym_int", "w_asym", "mnz", "pot", "far", "lloyd_max")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return json.load(file)


class Results:
    def __init__(self, folder):
        self.folder = folder

    def runs(self, name):
        """Summaries of a row, one per rotation."""
        return [read(path) for path in sorted(glob.glob(os.path.join(self.folder, f"{name}-[0-9]", "summary.json")))]

    def perplexities(self, name):
        return [read(path)["perplexity"] for path in sorted(glob.glob(os.path.join(self.folder, f"{name}-[0-9].json")))]

    def gaussianity(self, name):
        """Medians over layers before and behind the rotation."""
        reports = [read(path)["gaussianity"] for path in glob.glob(os.path.join(self.folder, f"{name}-0", "reports", "*.json"))]
        return {(when, what): statistics.median(report[when][what] for report in reports)
                for when in ("weight", "rotated") for what in ("excess_kurtosis", "quantile_error")}


def spread(values, digits):
    """'77.01 ± 2.10', the mean and the standard deviation of one value."""
    text = f"{statistics.mean(values):.{digits}f}"
    return text if len(values) < 2 else f"{text} ± {statistics.stdev(values):.{digits}f}"


def mean_of(runs, key):
    return statistics.mean(run[key] for run in runs)


def rounding_table(results):
    rows = [("level set", "squared weight error", "against SYM-INT")]
    base = results.runs("rtn_sym_int")[0]
    for levels in SETS:
        run = results.runs(f"rtn_{levels}")[0]
        rows.append((NAMES[levels], f"{run['squared_weight_error'] / run['squared_weight_norm']:.5f}",
                     f"{100 * (run['squared_weight_error'] / base['squared_weight_error'] - 1):+.1f} %"))
    return rows


def model_table(results):
    rows = [("weights", "bits per weight", "layer error", "against SYM-INT", "perplexity", "rotations", "seconds")]
    rows.append(("original", "32", "", "", f"{read(results.folder, 'original.json')['perplexity']:.2f}", "", ""))
    base = results.runs("gptq_sym_int")[0]["mean_error"]  # of the first rotation, as what is compared with it

    def row(title, name, compares=False):
        runs = results.runs(name)
        error = mean_of(runs, "mean_error")
        rows.append((title, f"{mean_of(runs, 'bits_per_weight'):.2f}", f"{error:.4f}", f"{runs[0]['mean_error'] / base:.3f}" if compares else "",
                     spread(results.perplexities(name), 2), str(len(runs)),
                     f"{mean_of(runs, 'quantization_seconds') + mean_of(runs, 'calibration_seconds'):.0f}"))

    for levels in SETS + ("int3", "int4"):
        row(f"{NAMES[levels]}, GPTQ", f"gptq_{levels}", True)
    high = results.runs("mixed")[0]["mixed"]
    row("mirror no-zero and int4 by KL, GPTQ", "mixed")
    row("mirror no-zero, the default", "beam_mnz")
    perplexities = results.perplexities("beam_mnz_a4kv4")
    rows.append(("the same, activations, keys and values in 4 bits", rows[-1][1], "", "", spread(perplexities, 2), str(len(perplexities)), ""))
    order = ", ".join(str(block) for block in high["order"])
    return rows, f"Blocks by what the predictions lose when they alone take two bits, most first: {order}."


def print_table(rows):
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for i, row in enumerate(rows):
        print("  " + "   ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]))
        if i == 0:
            print("  " + "   ".join("-" * width for width in widths))
    print()


def html_table(rows):
    def line(row, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"
    body = "\n".join(line(row, "td") for row in rows[1:])
    return f'<div class="wide"><table>\n<thead>{line(rows[0], "th")}</thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for entry in file:
                if entry.startswith("model name"):
                    return entry.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--report")
    arguments = parser.parse_args()
    results = Results(arguments.folder)

    rounding = rounding_table(results)
    gaussian = results.gaussianity("rtn_sym_int")
    before, after = gaussian["weight", "quantile_error"], gaussian["rotated", "quantile_error"]
    rotation = (f"Rotation: excess kurtosis of the median layer {gaussian['weight', 'excess_kurtosis']:.3f} -> "
                f"{gaussian['rotated', 'excess_kurtosis']:.3f}, distance of quantiles from a Gaussian's {before:.4f} -> {after:.4f}, "
                f"{before / after:.1f} times less.")
    models, ranking = model_table(results)
    notes = ("Layer error: tr(dW H dW') / tr(W H W'), mean over layers; perplexity: mean and standard deviation over rotations; "
             "seconds: quantizing and calibrating, less where Hessians were kept. GPTQ rows use the original model's Hessians, each layer "
             "by itself; the default is calibrated behind quantized layers and makes up for their errors. " +
             f"Processor: {processor()}, {os.cpu_count()} threads.")
    print("Rounding to nearest, all layers rotated:\n")
    print_table(rounding)
    print(rotation + "\n")
    print("The model:\n")
    print_table(models)
    print(ranking + "\n")
    print(notes)
    if arguments.report:
        paragraphs = ["<h2>Scalar level sets on SmolLM2-135M-Instruct</h2>", html_table(rounding), f"<p>{html.escape(rotation)}</p>",
                      html_table(models), f"<p>{html.escape(ranking)}</p>", f"<p>{html.escape(notes)}</p>"]
        report_page.put_section(arguments.report, "levels", "\n".join(paragraphs))


main()
