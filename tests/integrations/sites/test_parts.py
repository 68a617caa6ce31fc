"""The parts by themselves: gemspecs, versions as RubyGems orders them, gem servers, and pages as people read them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from bot.errors import Final
from integrations.github.cloudcannon import KEY, URL, CloudCannon, look
from integrations.github.lockfile_gemspec import Unreadable, files_read, read
from integrations.github.lockfile_move import GemSpec, pin_of, to_revision
from integrations.github.lockfile_theme import spec_of_version
from integrations.github.lockfile_versions import normal, satisfies
from integrations.github.site_page import lacks, says
from sandbox.jekyll.sources import GEM_SERVER
from sandbox.server import serving
from tests.integrations.github.test_lockfile import LOCK, NEW, locks
from tests.integrations.sites.conftest import Town

GEMSPEC = """\
# frozen_string_literal: true
require_relative "lib/acme/version"

Gem::Specification.new do |spec|
  spec.name          = "acme-theme"
  spec.version       = Acme::VERSION # as released
  spec.files         = `git ls-files -z`.split("\\x0").select { |f| f.match(%r{^(_data|_layouts)/}) }
  spec.add_runtime_dependency "jekyll", ">= 3.5", "< 5.0"
  spec.add_dependency("rexml")
  spec.add_dependency 'kramdown', ['~> 2.0', '>= 2.3']
  # spec.add_dependency "never"
  spec.add_development_dependency "bundler"
end
"""
VERSION = {"lib/acme/version.rb": 'module Acme\n  VERSION = "1.2.0".freeze\nend\n'}


def test_a_gemspec_as_people_write_it() -> None:
    assert "lib/acme/version.rb" in files_read(GEMSPEC)
    assert read(GEMSPEC, VERSION) == (
        "acme-theme",
        GemSpec("1.2.0", {"jekyll": ">= 3.5, < 5.0", "rexml": "", "kramdown": "~> 2.0, >= 2.3"}),
    )
    from_file = GEMSPEC.replace("Acme::VERSION", 'File.read(File.expand_path("VERSION", __dir__)).strip')
    assert read(from_file, {"VERSION": "2.0\n"})[1].version == "2.0"
    assert "VERSION" in files_read(from_file)


PLAIN = "not written out plainly"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"rexml")', 'name)', PLAIN),
        ('  spec.add_dependency("rexml")', '  if old\n    spec.add_dependency "rexml"\n  end', PLAIN),
        ('spec.add_dependency("rexml")', '%w[a b].each { |n| spec.add_dependency n }', PLAIN),
        ('("rexml")', '("rexml") if old', PLAIN),
        ("Acme::VERSION", 'ENV["VERSION"]', "the version is worked out"),
        ("Acme::VERSION", "Acme::OTHER", "the constant OTHER is set in 0 ways"),
        ('= "acme-theme"', "= NAME", "no plain `spec.name"),
        ('"< 5.0"', '"soon"', "no requirement"),
        ("  spec.version", "  spec.versions", "no plain `spec.version"),
    ],
)  # fmt: skip
def test_a_gemspec_that_could_mean_more(old: str, new: str, why: str) -> None:
    assert old in GEMSPEC
    with pytest.raises(Unreadable, match=why):
        read(GEMSPEC.replace(old, new), VERSION)


# RubyGems and Bundler themselves as judges

RUBY = """
require "json"; require "bundler"
$stdin.each_line do |line|
  told = JSON.parse(line)
  if told["lock"]
    parsed = Bundler::LockfileParser.new(told["lock"])
    specs = parsed.specs.map do |s|
      [s.full_name, s.source.class.name, s.source.options["revision"], s.dependencies.map(&:to_s).sort]
    end
    rest = [parsed.platforms.map(&:to_s), parsed.dependencies.keys, parsed.bundler_version.to_s, parsed.ruby_version]
    puts JSON.generate([specs.sort_by(&:first), rest])
  else
    wanted = Gem::Requirement.new(*told["wanted"].split(","))
    puts JSON.generate(wanted.satisfied_by?(Gem::Version.new(told["version"])))
  end
  $stdout.flush
end
"""


class Judge:
    def __init__(self, folder: Path) -> None:
        (folder / "Gemfile").touch()  # without one Bundler reads no lock
        self.process = subprocess.Popen(
            ["ruby", "-W0", "-e", RUBY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", cwd=folder
        )

    def ask(self, **told: str):  # type: ignore[no-untyped-def]
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(told) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    if shutil.which("ruby") is None or shutil.which("bundle") is None:
        pytest.skip("no ruby or bundle here: apt-get install -y --no-install-recommends ruby bundler")
    judge = Judge(tmp_path_factory.mktemp("bundler"))
    yield judge
    judge.process.terminate()
    judge.process.communicate()


PART = st.sampled_from(["0", "1", "2", "10", "01", "a", "b", "pre", "rc1", "beta2"])
VERSIONS = st.builds(
    lambda first, rest, dash: ".".join([first, *rest]) + dash,
    st.sampled_from(["0", "1", "2", "10"]),
    st.lists(PART, max_size=3),
    st.sampled_from(["", "", "", "-1", "-rc.2"]),
)
OPERATOR = st.sampled_from(["=", "!=", ">", "<", ">=", "<=", "~>"])


@given(VERSIONS, st.lists(st.tuples(OPERATOR, VERSIONS), min_size=1, max_size=2))
def test_versions_are_ordered_as_rubygems_orders_them(judge: Judge, version, wanted) -> None:  # type: ignore[no-untyped-def]
    requirement = ", ".join(f"{operator} {each}" for operator, each in wanted)
    assert satisfies(version, requirement) is judge.ask(version=version, wanted=requirement)


def test_requirements_as_locks_write_them() -> None:
    assert normal([">= 3.5", "< 5.0"]) == ">= 3.5, < 5.0"
    assert normal(["> 3", "!= 3.2.4"]) == "> 3, != 3.2.4"
    assert normal(["4.0"]) == "= 4.0"
    assert normal([]) == normal([">= 0"]) == ""


@given(locks())
def test_bundler_reads_the_moved_lock_as_it_was_meant(judge: Judge, lock: tuple[str, str]) -> None:
    text, _ = lock
    new = GemSpec("1.2.0", {"jekyll": ">= 4, < 5", "rexml": ""})
    after = to_revision(text.encode(), "acme-theme", NEW, {"acme-theme": new}, file="Gemfile.lock").decode()
    before, rest = judge.ask(lock=text)
    specs, rest_after = judge.ask(lock=after)
    assert rest_after == rest
    (moved,) = [spec for spec in specs if spec not in before]
    assert moved == ["acme-theme-1.2.0", "Bundler::Source::Git", NEW, ["jekyll (>= 4, < 5)", "rexml (>= 0)"]]
    assert len(specs) == len(before)


def test_where_bundler_and_we_see_the_theme(judge: Judge) -> None:
    specs, _ = judge.ask(lock=LOCK)
    pin = pin_of(LOCK.encode(), "acme-theme", file="Gemfile.lock")
    assert ["acme-theme-1.0.0", "Bundler::Source::Git", pin.revision, ["jekyll (~> 4.0)"]] in specs


# Gem servers


def test_a_version_as_a_gem_server_lists_it() -> None:
    listing = (
        "---\n1.0.0 jekyll:~> 4.0|checksum:aa,ruby:>= 2.5\n"
        "1.1.0-java jekyll:~> 4.0|checksum:bb\n1.1.0 jekyll:< 5&>= 4,rexml:>= 0|checksum:cc,ruby:>= 2.5\n"
    )
    app = Starlette(routes=[Route("/two/info/acme-theme", lambda _: PlainTextResponse(listing))])
    with serving(app) as server:
        remotes = (f"{server.url}/one/", f"{server.url}/two/")
        found = spec_of_version(remotes, "acme-theme", "1.1.0")
        assert found == (GemSpec("1.1.0", {"jekyll": ">= 4, < 5", "rexml": ""}), "cc")
        with pytest.raises(Final, match=r"No gem server of the lock has acme-theme 2\.0\.0"):
            spec_of_version(remotes, "acme-theme", "2.0.0")
    assert GEM_SERVER.startswith("https://")


# Pages

SAID = 'Maintenance at 5pm & <b>back</b> "soon"'
ESCAPED = "Maintenance at 5pm &amp; &lt;b&gt;back&lt;/b&gt; &quot;soon&quot;"


@pytest.mark.parametrize(
    "page",
    [
        f"<div>{ESCAPED}</div>",
        f"<p hidden>x<p>y</p><div class=b><a href='/x'>{ESCAPED}</a> <button>close</button></div>",
        '<head><title>x</title><body>Maintenance   at\n 5pm &#38; &#60;b>back&lt;/b> <span>"soon"</span>',
        f"<script>var a = '<div>';</script><template>no</template><div>Notice: {ESCAPED}</div>",
    ],
)
def test_a_page_says_it(page: str) -> None:
    assert says(page, SAID)


@pytest.mark.parametrize(
    "page",
    [
        "",
        f"<!-- {ESCAPED} -->",
        f"<title>{ESCAPED}</title>",
        f"<script>'{SAID}'</script>",
        f"<template><div>{ESCAPED}</div></template>",
        f"<div hidden><div>inner</div>{ESCAPED}</div>",
        '<div>Maintenance at 5pm &amp; <b>back</b> "soon"</div>',
        '<p>Maintenance at 5pm</p><p>&amp; &lt;b&gt;back&lt;/b&gt; "soon"</p>',
        ESCAPED.replace("5pm", "6pm"),
    ],
)
def test_a_page_does_not_say_it(page: str) -> None:
    assert not says(page, SAID)


def test_a_page_that_cannot_be_reached() -> None:
    assert lacks("http://127.0.0.1:9/", "x", None).startswith("a page at http://127.0.0.1:9/ (")


# Trying CloudCannon before the night


def test_maint_check_tries_the_key(town: Town) -> None:
    values = {URL.name: town.url, KEY.name: town.houses.cloud.key}
    assert look(lambda setting: values[setting.name]) == "the key is accepted by Acme"
    values[KEY.name] = "wrong-secret"
    with pytest.raises(Final) as refused:
        look(lambda setting: values[setting.name])
    assert "wrong-secret" not in str(refused.value)
    values[KEY.name] = ""
    assert "MAINT_CLOUDCANNON_KEY is not set" in look(lambda setting: values[setting.name])
    values |= {KEY.name: "k", URL.name: "http://cloud.example.com"}
    with pytest.raises(Final, match="Expected an https address"):
        CloudCannon(lambda setting: values[setting.name])
