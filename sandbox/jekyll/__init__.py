"""Real Jekyll sites on a real theme gem, built by Debian's Ruby, Bundler and Jekyll.

jekyll = Jekyll(folder)                     # raises JekyllMissing, with the reason
github.create_repository("acme/theme", theme_files())
files = site_files("www", f"{server.url}/acme/theme.git")
github.create_repository("acme/www", {**files, "Gemfile.lock": jekyll.lock(files)})
jekyll.build(checkout, destination)
"""

from sandbox.jekyll.ruby import BuildFailed, Jekyll, JekyllMissing
from sandbox.jekyll.sources import site_files, theme_files

__all__ = ["BuildFailed", "Jekyll", "JekyllMissing", "site_files", "theme_files"]
