"""Sections of one page, by examples/support/report_page.py.

    report_page_test.py SOURCE_FOLDER
"""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(sys.argv.pop()) / "examples" / "support"))
import report_page  # noqa: E402


class ReportPage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page, self.other = (pathlib.Path(folder.name) / name for name in ("page.html", "other.html"))

    def test_a_section_takes_the_place_of_its_own(self):
        for name, content in (("a", "one"), ("b", "two \\1"), ("a", "three")):
            report_page.put_section(self.page, name, content)
        text = self.page.read_text()
        self.assertLess(text.index("three"), text.index("two \\1"))
        self.assertNotIn("one", text)
        self.assertEqual(text.count("<section"), 2)
        self.assertTrue(text.endswith("</body>\n</html>\n"))

    def test_a_new_page_keeps_the_sections_that_it_has_not(self):
        for name in ("a", "b"):
            report_page.put_section(self.page, name, f"old {name}")
        report_page.put_section(self.other, "a", "new a")
        self.other.write_text(self.other.read_text().replace("<h1>", "<h1>Another "))
        report_page.replace_page(self.other, self.page)
        text = self.page.read_text()
        self.assertIn("<h1>Another", text)
        self.assertLess(text.index("new a"), text.index("old b"))
        self.assertNotIn("old a", text)


unittest.main()
