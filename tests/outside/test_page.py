"""In a real browser: the report's script may run, sorts, unfolds, and nothing needs a wider window."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.report import write_report
from runner.tables.runs import selected
from tests.report.made import small_study, stored_run

pytestmark = pytest.mark.outside
PACKAGE = "selenium==4.51.0"
BROWSER, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))

TRIED = r"""
import json, sys
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

page, browser, driver = sys.argv[1:]
options = Options()
options.binary_location = browser
for word in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"):
    options.add_argument(word)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
d = webdriver.Chrome(options=options, service=Service(driver))
d.get("file://" + page)
run = d.execute_script
found = {
    "wider": run('''document.querySelectorAll("details").forEach(one => one.open = true);
        const all = [document.documentElement, ...document.querySelectorAll(".scroll")];
        return all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML.slice(0, 200))'''),
    "sorted": run('''const table = [...document.querySelectorAll("table.data")]
            .find(one => one.tHead.textContent.includes("median") && one.tHead.textContent.includes("persona"));
        const heads = [...table.tHead.rows[0].cells];
        const place = heads.findIndex(one => one.textContent === "n");
        const shown = () => [...table.tBodies[0].rows].map(row => row.cells[place].innerText.split("\\n")[0].trim());
        const press = () => heads[place].querySelector("button").click();
        press(); const up = shown(); press(); return [up, shown(), heads[place].ariaSort]'''),
    "unfolded": run('''document.querySelectorAll("details").forEach(one => one.open = false);
        document.querySelector('nav a[href="#agreement"]').click();
        return new Promise(done => setTimeout(() => done(
            [...document.querySelectorAll("section > details[open]")].map(one => one.parentElement.id)), 300))'''),
    "said": [one["message"] for one in d.get_log("browser")],
}
d.quit()
print(json.dumps(found))
"""


@pytest.mark.skipif(not (BROWSER and DRIVER), reason="needs chromium and chromedriver")
def test_the_page_works_in_chromium(installed: Callable[[str], Path], tmp_path: Path) -> None:
    stored_run(tmp_path, small_study())
    selection = selected(tmp_path, ["all"], rehearsals=False)
    written = write_report(selection, tmp_path / "report", language="en")
    command = [installed(PACKAGE) / "python", "-c", TRIED, written.page, BROWSER, DRIVER]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert found["said"] == []
    assert found["wider"] == []
    up, down, said = found["sorted"]
    assert up == sorted(up, key=int)
    assert down == up[::-1] or down == sorted(down, key=int, reverse=True)
    assert up != down
    assert said == "descending"
    assert found["unfolded"] == ["agreement"]
