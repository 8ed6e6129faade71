"""Prints the demo's table from the JSON files of its programs.

    demo_table.py RESULTS_FOLDER
"""
import glob
import json
import os
import sys


def read(path):
    with open(path) as file:
        return json.load(file)


def layer_reports(folder):
    reports = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.json"), recursive=True)):
        data = read(path)
        if isinstance(data, dict) and "relative_error_after_init" in data:
            reports.append(data)
    return reports


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def main():
    folder = sys.argv[1]
    rows = [("method", "bits per weight", "perplexity", "layer error: after init", "at the end", "seconds")]
    rows.append(("original (Q4_1, run in fp32)", "5.00", f"{read(os.path.join(folder, 'original.json'))['perplexity']:.2f}",
                 "", "", ""))
    for init, name in (("greedy", "greedy residual k-means"), ("oa_em", "OA-EM")):
        reports = layer_reports(os.path.join(folder, init))
        weights = [r["n_out"] * r["n_in"] for r in reports]
        bits = sum(r["bits_per_weight"]["total"] * w for r, w in zip(reports, weights)) / sum(weights)
        with open(os.path.join(folder, init + ".seconds")) as file:
            seconds = file.read().strip()
        rows.append((name, f"{bits:.2f}", f"{read(os.path.join(folder, init + '.json'))['perplexity']:.2f}",
                     f"{mean(r['relative_error_after_init'] for r in reports):.4f}",
                     f"{mean(r['relative_error'] for r in reports):.4f}", seconds))
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    for i, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "   ".join(cells))
        if i == 0:
            print("  " + "   ".join("-" * width for width in widths))
    print("\n  Bits per weight count codes, codebooks and scales of the quantized layers. Perplexity is on")
    print("  held-out text. Layer error: tr(dW H dW') / tr(W H W'), mean over the layers; W is the weight a layer")
    print("  aims at, which makes up for errors before it. Seconds: wall clock of the quantization with its")
    print("  calibration.")


main()
