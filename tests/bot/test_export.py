"""The journal as a file, read back by independent readers, and the console's lines."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from bot.console import Console
from bot.entry import Entry, Kind, instant
from bot.export import as_csv, as_json_lines, as_markdown, as_page
from bot.journal import entry_hash
from bot.maintenances import Maintenances
from tests.bot.entries import ANA, ID, a_night, add, begin


def test_csv_has_a_row_for_each_entry(maintenances: Maintenances) -> None:
    a_night(maintenances)
    entries = maintenances.journal.read(ID)
    rows = list(csv.DictReader(io.StringIO(as_csv(entries))))
    assert [(int(row["seq"]), row["kind"], row["hash"]) for row in rows] == [(e.seq, e.kind, e.hash) for e in entries]
    assert json.loads(rows[15]["payload"])["reason"] == "not tonight"
    assert "not tonight" in rows[15]["text"]


def test_csv_has_no_formulas(maintenances: Maintenances) -> None:
    begin(maintenances)
    add(maintenances, (Kind.NOTED, None, {"text": "x"}, "=HYPERLINK()"))
    rows = list(csv.DictReader(io.StringIO(as_csv(maintenances.journal.read(ID)))))
    assert rows[1]["actor"] == "'=HYPERLINK()"


def test_json_lines_are_the_entries_themselves(maintenances: Maintenances) -> None:
    a_night(maintenances)
    lines = as_json_lines(maintenances.journal.read(ID)).splitlines()
    back = [Entry(**{**raw, "at": instant(raw["at"])}) for raw in map(json.loads, lines)]
    assert back == maintenances.journal.read(ID)
    assert all(entry_hash(entry) == entry.hash for entry in back)


def test_markdown_keeps_words_in_their_fence(maintenances: Maintenances) -> None:
    begin(maintenances, title="Postgres [14] to *18*")
    add(maintenances, (Kind.NOTED, None, {"text": "# not a heading\n````\nnot the end"}, ANA))
    text = as_markdown(maintenances.journal.read(ID))
    assert text.startswith("# Postgres \\[14\\] to ")
    assert "- **#2** " in text
    assert "  `````text\n  # not a heading\n  ````\n  not the end\n  `````" in text


def test_the_console_prints_each_entry_once(maintenances: Maintenances) -> None:
    begin(maintenances)
    out = io.StringIO()
    console = Console(maintenances, out)
    assert console.deliver(maintenances.now()) is None
    add(maintenances, (Kind.NOTED, None, {"text": "two\nlines"}, ANA))
    console.deliver(maintenances.now())
    console.deliver(maintenances.now())
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{ID} #1 ")
    assert lines[1].endswith(f"UTC {ANA}: Note: two lines")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_the_page_checks_its_own_chain_and_takes_no_words_for_markup(
    maintenances: Maintenances, tmp_path: Path
) -> None:
    a_night(maintenances)
    add(maintenances, (Kind.NOTED, None, {"text": "</script><img src=x onerror=alert(1)> é 5.0"}, ANA))
    text = as_page(maintenances.journal.read(ID))
    whole, changed = tmp_path / "whole.html", tmp_path / "changed.html"
    whole.write_text(text, encoding="utf-8")
    changed.write_text(text.replace("not tonight", "tonight"), encoding="utf-8")
    count = len(maintenances.journal.read(ID))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(whole.as_uri())
        expect(page.get_by_role("status")).to_contain_text(f"The chain of {count} hashes is intact")
        expect(page.locator("tbody tr")).to_have_count(count)
        expect(page.locator("tbody")).to_contain_text("</script><img src=x onerror=alert(1)> é 5.0")
        assert page.locator("img").count() == 0
        page.goto(changed.as_uri())
        expect(page.get_by_role("status")).to_contain_text("The chain is broken at #16")
        browser.close()
