"""Reads what benchmark programs write with --benchmark_out."""
import json

TIME_UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
NOT_COUNTERS = {
    "name", "run_name", "run_type", "family_index", "per_family_instance_index", "repetitions", "repetition_index",
    "threads", "iterations", "real_time", "cpu_time", "time_unit", "error_occurred", "error_message", "skipped",
    "skip_message", "aggregate_name", "aggregate_unit", "label",
}
# The less of these the better; of every other counter the more.
LESS_IS_BETTER = {"real_time", "cpu_time", "relative_l2_error", "relative_error", "start_error", "bytes_per_weight"}


class BadResults(Exception):
    """A file that is not what a benchmark program writes."""


def read(path):
    """(context, runs): runs is a list of {"name", "error" or times in ns and counters}."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        context, entries = content.get("context", {}), content["benchmarks"]
        runs = []
        for entry in entries:
            if entry.get("run_type", "iteration") != "iteration":
                continue
            run = {"name": entry["name"]}
            if entry.get("error_occurred") or entry.get("skipped"):
                run["error"] = entry.get("error_message") or entry.get("skip_message") or "skipped"
            else:
                unit = TIME_UNITS[entry["time_unit"]]
                run["real_time"] = entry["real_time"] * unit
                run["cpu_time"] = entry["cpu_time"] * unit
                run.update({key: value for key, value in entry.items() if key not in NOT_COUNTERS})
            runs.append(run)
        return context, runs
    except OSError as error:
        raise BadResults(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadResults(f"{path}: not a file of --benchmark_out in JSON ({error})") from error


def best(runs, key):
    """{name: best value of key over repetitions, or None where a run failed}."""
    choose = min if key in LESS_IS_BETTER else max
    values, failed = {}, set()
    for run in runs:
        if "error" in run:
            failed.add(run["name"])
        elif key in run:
            values[run["name"]] = choose(values.get(run["name"], run[key]), run[key])
    values.update({name: None for name in failed})
    return values
