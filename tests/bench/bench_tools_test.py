"""bench/compare.py and bench/support/headline.py on made-up results: bench_tools_test.py <source folder>."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(sys.argv.pop(1)) / "bench"


def entry(name, time=100.0, unit="us", **counters):
    return {"name": name, "run_type": "iteration", "iterations": 9, "real_time": time, "cpu_time": time, "time_unit": unit, **counters}


def failure(name):
    return {"name": name, "run_type": "iteration", "error_occurred": True, "error_message": "differs from scalar"}


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def write(self, name, *entries):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"context": {"num_cpus": 2, "compiler": "g++ 12"}, "benchmarks": list(entries)}))
        return str(file)

    def run_tool(self, tool, *arguments):
        done = subprocess.run([sys.executable, "-B", str(BENCH / tool), *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def compare(self, old, new, *options):
        return self.run_tool("compare.py", self.write("old.json", *old), self.write("new.json", *new), *options)


class Compare(Tools):
    def test_noise_is_not_worse(self):
        code, text = self.compare([entry("a", 100), entry("b", 100)], [entry("a", 104.9), entry("b", 50)])
        self.assertEqual(code, 0, text)
        self.assertIn("same", text)
        self.assertIn("better", text)
        self.assertIn("2 compared, noise band 5 %: 0 worse.", text)

    def test_past_the_band_is_worse(self):
        code, text = self.compare([entry("a", 100)], [entry("a", 106)])
        self.assertEqual(code, 1, text)
        self.assertIn("WORSE", text)
        self.assertEqual(self.compare([entry("a", 100)], [entry("a", 106)], "--band", "10")[0], 0)

    def test_units_are_converted(self):
        self.assertEqual(self.compare([entry("a", 100, "us")], [entry("a", 0.1, "ms")])[0], 0)
        self.assertEqual(self.compare([entry("a", 100, "us")], [entry("a", 0.2, "ms")])[0], 1)

    def test_best_of_repetitions(self):
        aggregate = {**entry("a_mean", 150), "run_type": "aggregate"}
        code, text = self.compare([entry("a", 100), entry("a", 200)], [entry("a", 190), entry("a", 101), aggregate])
        self.assertEqual(code, 0, text)
        self.assertNotIn("a_mean", text)

    def test_counters(self):
        old, new = [entry("a", x_sgemv=20.0)], [entry("a", x_sgemv=15.0)]
        self.assertEqual(self.compare(old, new)[0], 0)
        self.assertEqual(self.compare(old, new, "--by", "x_sgemv")[0], 1)
        self.assertEqual(self.compare(new, old, "--by", "x_sgemv")[0], 0)

    def test_speed_at_the_price_of_accuracy_is_worse(self):
        code, text = self.compare([entry("a", 100, relative_l2_error=1e-3)], [entry("a", 50, relative_l2_error=2e-3)])
        self.assertEqual(code, 1, text)
        self.assertIn("relative_l2_error", text)

    def test_new_failure_is_worse(self):
        code, text = self.compare([entry("a")], [failure("a")])
        self.assertEqual(code, 1, text)
        self.assertIn("FAILED", text)
        self.assertEqual(self.compare([failure("a")], [failure("a")])[0], 0)

    def test_only_shared_names_count(self):
        code, text = self.compare([entry("a"), entry("old")], [entry("a"), entry("new")])
        self.assertEqual(code, 0, text)
        self.assertIn("In one file only, not compared: 2", text)

    def test_nothing_to_compare(self):
        self.assertEqual(self.compare([entry("a")], [entry("b")])[0], 2)
        broken = self.path / "broken.json"
        broken.write_text("{")
        code, text = self.run_tool("compare.py", str(broken), str(broken))
        self.assertEqual(code, 2)
        self.assertIn("broken.json", text)
        code, text = self.run_tool("compare.py", str(self.path / "absent.json"), str(broken))
        self.assertEqual(code, 2)
        self.assertIn("No such file", text)
        self.assertNotIn("Traceback", text)


class Headline(Tools):
    WARM = "lut_matvec/2x8g8/int8/avx512vbmi/4096x4096"

    def headline(self, *rounds):
        for i, entries in enumerate(rounds):
            self.write(f"{i}/lut_matvec_bench.json", *entries)
        report = self.path / "report.html"
        code, text = self.run_tool("support/headline.py", *(str(self.path / str(i)) for i in range(len(rounds))), "--report", str(report))
        return code, text, report.read_text() if report.exists() else ""

    def matvec(self, name, x_sgemv, error):
        return entry(name, x_sgemv=x_sgemv, relative_l2_error=error, of_read_limit=0.9, weights_per_ns=90.0, bytes_per_weight=0.25)

    def test_best_of_rounds_meets_the_goal(self):
        code, text, report = self.headline([self.matvec(self.WARM, 20.0, 0.007)], [self.matvec(self.WARM, 25.0, 0.007)])
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"matvec 2x8g8 int8, warm +25 x fp32 sgemv +0.7 % .* met")
        self.assertIn("2 met, 0 missed, 0 failed.", text)
        self.assertIn("<svg", report)
        self.assertIn("2x8g8 int8, warm", report)
        self.assertNotIn("http://", report.replace("http://www.w3.org/2000/svg", ""))

    def test_a_fast_product_that_is_too_coarse_misses(self):
        _, text, _ = self.headline([self.matvec(self.WARM, 25.0, 0.02)])
        self.assertRegex(text, r"matvec 2x8g8 int8, warm +25 x fp32 sgemv +2 % .* missed")

    def test_goals_follow_the_path(self):
        vnni = self.WARM.replace("avx512vbmi", "avx512vnni")
        _, text, _ = self.headline([self.matvec(vnni, 15.0, 0.011)])
        self.assertRegex(text, r"warm +15 x fp32 sgemv +1.1 % +>= 14, error <= 1.2 % +met")

    def test_failures_show(self):
        code, text, _ = self.headline([failure(self.WARM)])
        self.assertEqual(code, 1, text)
        self.assertIn("failed: differs from scalar", text)

    def test_no_results(self):
        code, text, _ = self.headline([])
        self.assertEqual(code, 2, text)
        self.assertNotIn("Traceback", text)


if __name__ == "__main__":
    unittest.main()
