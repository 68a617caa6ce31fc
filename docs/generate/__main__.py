"""Brings every page up to date, and names those that were not."""

from docs.generate.pages import FOLDER, pages, written

for path in pages():
    before = path.read_text()
    after = written(before)
    if after != before:
        path.write_text(after)
        print(path.relative_to(FOLDER.parent))
