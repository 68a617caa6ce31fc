"""A Gemfile.lock is moved by changing the theme's lines alone, or refused with file, line and what was expected."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import Final
from integrations.github.lockfile_move import GemSpec, pin_of, to_revision, to_version

OLD, NEW = "1" * 40, "abcdef0123" * 4
FILE = "Gemfile.lock in acme/www"
LOCK = f"""\
GIT
  remote: https://github.com/acme/other.git
  revision: {OLD}
  specs:
    other (0.1.0)
      rexml

GIT
  remote: https://github.com/acme/theme.git
  revision: {OLD}
  branch: master
  specs:
    acme-theme (1.0.0)
      jekyll (~> 4.0)

PATH
  remote: .
  specs:
    local (0.0.1)

GEM
  remote: https://gems.example.com/
  remote: https://more-gems.example.com/
  specs:
    ffi (1.15.5)
    ffi (1.15.5-x86_64-linux)
    jekyll (4.3.1)
      kramdown (~> 2.3, >= 2.3.1)
    kramdown (2.4.0)
      rexml
    rexml (3.2.5)

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  acme-theme!
  jekyll
  local!
  other!

CHECKSUMS
  acme-theme (1.0.0)
  ffi (1.15.5) sha256={"a" * 64}
  ffi (1.15.5-x86_64-linux) sha256={"b" * 64}
  jekyll (4.3.1) sha256={"c" * 64}

RUBY VERSION
   ruby 3.1.2p20

BUNDLED WITH
   2.6.7
"""
FROM_SERVER = f"""\
GEM
  remote: https://gems.example.com/
  specs:
    acme-plugin (0.2.0)
      acme-theme (~> 1.0)
    acme-theme (1.0.0)
      jekyll (~> 4.0)
    jekyll (4.3.1)
    rexml (3.2.5)

PLATFORMS
  ruby

DEPENDENCIES
  acme-plugin
  acme-theme (~> 1.0)

CHECKSUMS
  acme-plugin (0.2.0) sha256={"a" * 64}
  acme-theme (1.0.0) sha256={"b" * 64}

BUNDLED WITH
   2.6.7
"""


def spec(version: str = "1.0.0", **dependencies: str) -> GemSpec:
    return GemSpec(version, {"jekyll": "~> 4.0", **dependencies})


def moved(text: str, new: GemSpec | None = None, revision: str = NEW) -> str:
    specs = {} if new is None else {"acme-theme": new}
    return to_revision(text.encode(), "acme-theme", revision, specs, file=FILE).decode()


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """The lines that differ, of two texts with equally many lines."""
    pairs = zip(before.splitlines(keepends=True), after.splitlines(keepends=True), strict=True)
    return [(old, new) for old, new in pairs if old != new]


def refused(text: str | bytes, new: GemSpec | None = None) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(Final) as caught:
        to_revision(content, "acme-theme", NEW, {"acme-theme": new} if new else {}, file=FILE)
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return next(at for at, line in enumerate(text.splitlines(), 1) if part in line)


# What changes


def test_only_the_revision_of_the_themes_own_block() -> None:
    assert changes(LOCK, moved(LOCK)) == [(f"  revision: {OLD}\n", f"  revision: {NEW}\n")]
    assert moved(LOCK).index(NEW) > LOCK.index("acme/theme")


def test_moving_again_changes_nothing() -> None:
    assert moved(moved(LOCK)) == moved(LOCK)
    assert moved(LOCK, revision=OLD) == LOCK
    new = spec("1.1.0", rexml="")
    assert moved(moved(LOCK, new), new) == moved(LOCK, new)


def test_another_version_changes_its_line_and_its_checksum() -> None:
    assert changes(LOCK, moved(LOCK, spec("1.1.0"))) == [
        (f"  revision: {OLD}\n", f"  revision: {NEW}\n"),
        ("    acme-theme (1.0.0)\n", "    acme-theme (1.1.0)\n"),
        ("  acme-theme (1.0.0)\n", "  acme-theme (1.1.0)\n"),
    ]


def test_a_dependency_that_the_lock_holds_gets_its_line_in_order() -> None:
    after = moved(LOCK, spec(ffi="~> 1.0", rexml="", kramdown="~> 2.0"))
    lines = "      ffi (~> 1.0)\n      jekyll (~> 4.0)\n      kramdown (~> 2.0)\n      rexml\n"
    expected = LOCK.replace(OLD, NEW).replace(NEW, OLD, 1).replace("      jekyll (~> 4.0)\n", lines)
    assert after == expected
    assert moved(after, spec(), OLD) == LOCK


def test_a_dependency_that_changes_or_goes() -> None:
    after = moved(LOCK, GemSpec("1.0.0", {"jekyll": ">= 4, < 5"}))
    assert changes(LOCK, after)[1:] == [("      jekyll (~> 4.0)\n", "      jekyll (>= 4, < 5)\n")]
    gone = moved(LOCK, GemSpec("1.0.0", {}))
    assert gone == LOCK.replace(OLD, NEW).replace(NEW, OLD, 1).replace("      jekyll (~> 4.0)\n", "")


def test_several_gems_of_one_repository() -> None:
    both = LOCK.replace(
        "    acme-theme (1.0.0)\n",
        "    acme-icons (1.0.0)\n    acme-theme (1.0.0)\n      acme-icons (= 1.0.0)\n",
    ).replace("CHECKSUMS\n", "CHECKSUMS\n  acme-icons (1.0.0)\n")
    new = {"acme-icons": GemSpec("1.1.0", {}), "acme-theme": spec("1.1.0", **{"acme-icons": "= 1.1.0"})}
    after = to_revision(both.encode(), "acme-theme", NEW, new, file=FILE).decode()
    assert "    acme-icons (1.1.0)\n    acme-theme (1.1.0)\n      acme-icons (= 1.1.0)\n" in after
    with pytest.raises(Final, match=r"needs acme-icons = 1\.1\.0, and .* holds 1\.0\.0"):
        to_revision(both.encode(), "acme-theme", NEW, {"acme-theme": new["acme-theme"]}, file=FILE)


def test_from_a_gem_server_version_dependencies_and_checksum() -> None:
    new = spec("1.4.0", rexml=">= 3")
    after = to_version(FROM_SERVER.encode(), "acme-theme", new, "d" * 64, file=FILE).decode()
    expected = FROM_SERVER.replace(
        "    acme-theme (1.0.0)\n      jekyll (~> 4.0)\n",
        "    acme-theme (1.4.0)\n      jekyll (~> 4.0)\n      rexml (>= 3)\n",
    ).replace(f"  acme-theme (1.0.0) sha256={'b' * 64}", f"  acme-theme (1.4.0) sha256={'d' * 64}")
    assert after == expected
    assert to_version(after.encode(), "acme-theme", new, "d" * 64, file=FILE).decode() == after


def test_where_it_comes_from() -> None:
    pin = pin_of(LOCK.encode(), "acme-theme", file=FILE)
    assert (pin.kind, pin.remotes, pin.branch, pin.revision) == (
        "git", ("https://github.com/acme/theme.git",), "master", OLD,
    )  # fmt: skip
    assert pin.specs == {"acme-theme": spec()}
    assert pin_of(FROM_SERVER.encode(), "acme-theme", file=FILE).kind == "gem"


# Whatever else the file holds

ODD = st.sampled_from(["", "", "# a comment", "UNKNOWN SECTION\n  with: something", "  ", "EMPTY"])
BLOCKS = [f"{block}\n" for block in LOCK.rstrip("\n").split("\n\n")]


@st.composite
def locks(draw: st.DrawFn) -> tuple[str, str]:
    """A lock file of whole sections in any order, with odd things between them, and its line end."""
    needed = [block for block in BLOCKS if "acme/theme" in block or "DEPENDENCIES" in block or block.startswith("GEM")]
    others = draw(st.lists(st.sampled_from([each for each in BLOCKS if each not in needed]), unique=True))
    blocks = draw(st.permutations(needed + others))
    text = "\n".join(block + odd + ("\n" if odd else "") for block in blocks for odd in [draw(ODD)])
    end = draw(st.sampled_from(["\n", "\r\n"]))
    text = text.replace("\n", end)
    return (text.removesuffix(end) if draw(st.booleans()) else text), end


@given(locks(), st.booleans(), st.booleans())
def test_every_other_byte_stays(lock: tuple[str, str], version: bool, dependency: bool) -> None:
    text, end = lock
    new = spec("1.2.0" if version else "1.0.0", **({"rexml": "~> 3.2"} if dependency else {}))
    after = moved(text, new)
    kept = text.split(end)
    lines = after.split(end)
    own = {
        f"  revision: {NEW}",
        f"    acme-theme ({new.version})",
        f"  acme-theme ({new.version})",
        "      rexml (~> 3.2)",
    }
    theirs = {f"  revision: {OLD}", "    acme-theme (1.0.0)", "  acme-theme (1.0.0)"}
    added = [line for line in lines if line == "      rexml (~> 3.2)"]
    assert len(added) == int(dependency)
    if dependency:
        assert lines[lines.index("      rexml (~> 3.2)") - 1] == "      jekyll (~> 4.0)"
        lines.remove("      rexml (~> 3.2)")
    assert len(lines) == len(kept)
    for old, line in zip(kept, lines, strict=True):
        assert old == line or (old in theirs and line in own), (old, line)
    assert lines.count(f"  revision: {NEW}") == 1
    assert moved(after, spec(), OLD) == text


# What is refused


def test_the_theme_is_not_in_it() -> None:
    text = LOCK.replace("acme-theme", "acme-thema")
    assert "does not hold the gem acme-theme" in refused(text)
    assert "GIT at line 1, GIT at line 8, PATH at line 16, GEM at line 21" in refused(text)


@pytest.mark.parametrize("pin", ["ref", "tag"])
def test_it_is_pinned(pin: str) -> None:
    text = LOCK.replace("  branch: master", f"  {pin}: v1.0.0")
    said = refused(text)
    assert f"line {line_of(text, 'v1.0.0')}: acme-theme is pinned by `{pin}: v1.0.0`" in said
    assert "Gemfile" in said


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "=======", ">>>>>>> theirs", "||||||| base"])
def test_conflict_marks(mark: str) -> None:
    text = LOCK.replace("  x86_64-linux\n", f"  x86_64-linux\n{mark}\n")
    assert f"{FILE}, line {line_of(text, mark)}: a merge conflict" in refused(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: this is no Gemfile.lock"),
        ("\n\nhello: world\n", "line 3: this is no Gemfile.lock"),
        (LOCK.replace("DEPENDENCIES\n", "DEPENDENCIES \n"), "a section DEPENDENCIES"),
        (b"GIT\n  remote: \xff\n", "line 2: this is not UTF-8"),
        (LOCK.replace("    acme-theme (1.0.0)", "    acme-theme (1.0.0) "), "line 13: acme-theme is named here"),
        (LOCK.replace("    acme-theme (1.0.0)", "    acme-theme"), "line 13: expected `    acme-theme (VERSION)`"),
        (LOCK.replace("    other (0.1.0)", "    acme-theme (0.1.0)"), "line 13: acme-theme stands here a second time"),
        (LOCK.replace(f"  revision: {OLD}\n  branch", "  branch"), "line 8: expected a line `  revision: …`"),
        (LOCK.replace("    acme-theme (1.0.0)\n", "").replace("    local (0", "    acme-theme (0"), "from a PATH"),
        (FROM_SERVER, "line 1: acme-theme comes from a gem server"),
    ],
)  # fmt: skip
def test_it_cannot_be_read(text: str | bytes, expected: str) -> None:
    assert expected in refused(text)


def test_a_new_dependency_that_the_lock_does_not_hold() -> None:
    said = refused(LOCK, spec(rake=">= 12"))
    assert "depends on rake, which Gemfile.lock in acme/www does not hold" in said
    assert "bundle lock --update acme-theme" in said
    assert "Nothing was changed" in said


@pytest.mark.parametrize(
    ("text", "new", "expected"),
    [
        (LOCK, spec(kramdown="~> 3.0"), r"needs kramdown ~> 3\.0, and .*line 29 holds 2\.4\.0"),
        (LOCK.replace("  acme-theme!", "  acme-theme (= 1.0.0)!"), spec("1.1.0"), "the Gemfile wants acme-theme"),
        (LOCK.replace("    local (0.0.1)", "    local (0.0.1)\n      acme-theme (< 1)"), spec("1.1.0"), "local wants"),
        (LOCK.replace("  acme-theme (1.0.0)\n  ffi", "  ffi"), spec("1.1.0"), "CHECKSUMS without acme-theme"),
        (LOCK.replace("rexml (3.2.5)", "rexml (what)"), spec(rexml="> 3"), "is no version"),
    ],
)  # fmt: skip
def test_bundler_would_have_to_resolve_anew(text: str, new: GemSpec, expected: str) -> None:
    assert re.search(expected, refused(text, new))


def test_a_version_that_others_forbid_and_a_git_source() -> None:
    with pytest.raises(Final, match=r"acme-plugin wants acme-theme ~> 1\.0|the Gemfile wants acme-theme ~> 1\.0"):
        to_version(FROM_SERVER.encode(), "acme-theme", spec("2.0.0"), "", file=FILE)
    with pytest.raises(Final, match="comes from git"):
        to_version(LOCK.encode(), "acme-theme", spec("2.0.0"), "", file=FILE)
    native = FROM_SERVER.replace("    acme-theme (1.0.0)", "    acme-theme (1.0.0-java)")
    with pytest.raises(Final, match="locked for the platform java only"):
        to_version(native.encode(), "acme-theme", spec("1.1.0"), "", file=FILE)
