"""The files of the theme gem and of a site that uses it, as their repositories hold them."""

from collections.abc import Mapping
from pathlib import Path

THEME = "acme-theme"
BANNER_PATH = "_data/banner_notification.yml"
OFF = """\
# Shown on top of every page of every site while enabled.
enabled: false
text: ""
url: https://acme.example/maintenance
"""
GEM_SERVER = "https://gems.example.com/"
_FOLDER = Path(__file__).parent / "theme"
_GEMSPEC = """\
# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = "{name}"
  spec.version = "{version}"
  spec.authors = ["Acme"]
  spec.summary = "The theme of all our sites"
  spec.files = Dir["_data/**/*", "_includes/**/*", "_layouts/**/*"]

{dependencies}
end
"""
_GEMFILE = """\
source "{gem_server}"

gem "jekyll"
gem "{theme}", git: "{remote}", branch: "master"
"""
_INDEX = """\
---
layout: default
title: Orders that look after themselves
---
Acme keeps track of what was ordered, paid and refunded, so that you need not.
"""
_COLOURS = ("#3b4cca", "#0b7a5c", "#9a3d7a", "#a2541a")


def theme_files(
    version: str = "1.0.0", dependencies: Mapping[str, str] | None = None, banner: str = OFF
) -> dict[str, str]:
    """Return the theme gem: path to content. `dependencies` are runtime ones, by name (`{"jekyll": "~> 4.0"}`)."""
    wanted = {"jekyll": "~> 4.0"} if dependencies is None else dependencies
    lines = [f'  spec.add_runtime_dependency "{name}", "{requirement}"' for name, requirement in wanted.items()]
    files = {str(path.relative_to(_FOLDER)): path.read_text() for path in _FOLDER.rglob("*.html")}
    gemspec = _GEMSPEC.format(name=THEME, version=version, dependencies="\n".join(lines))
    return {**files, f"{THEME}.gemspec": gemspec, BANNER_PATH: banner, "README.md": "# The theme of all our sites\n"}


def site_files(name: str, remote: str, *, number: int = 0) -> dict[str, str]:
    """Return a site without its Gemfile.lock; `remote` is where git clones the theme from."""
    return {
        "Gemfile": _GEMFILE.format(theme=THEME, remote=remote, gem_server=GEM_SERVER),
        "_config.yml": f'theme: {THEME}\ntitle: Acme {name}\ncolour: "{_COLOURS[number % len(_COLOURS)]}"\n',
        "index.md": _INDEX,
    }


def plain_lock(remote: str, revision: str, *, version: str = "1.0.0") -> str:
    """Return a small Gemfile.lock for tests that build nothing: the right shape, with few gems in it."""
    return (
        f"GIT\n  remote: {remote}\n  revision: {revision}\n  branch: master\n  specs:\n"
        f"    {THEME} ({version})\n      jekyll (~> 4.0)\n\n"
        f"GEM\n  remote: {GEM_SERVER}\n  specs:\n    jekyll (4.3.1)\n      liquid (>= 4.0, < 6)\n    liquid (5.4.0)\n\n"
        f"PLATFORMS\n  x86_64-linux\n\nDEPENDENCIES\n  {THEME}!\n  jekyll\n\nBUNDLED WITH\n   2.3.15\n"
    )
