"""What the theme's banner file says, and whether a site's own file of that name gets in its way.

Jekyll merges a site's `_data` over its theme's key by key (`Jekyll::Reader`), so one key of the site's is enough to
make its banner another one.
"""

from collections.abc import Mapping

from bot.errors import Final
from integrations.github.client import GitHub
from integrations.github.site import Aim
from integrations.github.site_lock import SiteRepository
from integrations.github.yaml_lines import Value, read_values

_KEYS = ("enabled", "text", "url")
_ENDINGS = (".yml", ".yaml", ".json")


def banner_of(theme: GitHub, aim: Aim) -> Mapping[str, Value | None]:
    """Return what the theme's banner file says at the aim's revision. Raises `Final` if there is no such file."""
    file = theme.file(aim.path, aim.revision)
    where = f"{aim.path} in {aim.theme} at {aim.revision[:10]}"
    if file is None:
        raise Final(f"{where} does not exist. Expected the banner's data file there: check `theme` and `path`.")
    return read_values(file.content, _KEYS, file=where)


def unready(aim: Aim) -> str:
    """Return in words why sites with the theme as aimed at would not be right; empty if they would.

    That is so while the banner is still to be merged into the theme, or to be taken off there.
    """
    enabled, text = aim.banner.get("enabled") is True, aim.banner.get("text")
    where = f"{aim.path} in {aim.theme}"
    if aim.shows is not None and not (enabled and text == aim.shows):
        now = f"turns on “{text}”" if enabled else "turns on no banner"
        return f"{where} to turn on “{aim.shows}” (now it {now}; `banner.on` changes that)"
    if aim.hides is not None and enabled and text == aim.hides:
        return f"{where} to turn off “{aim.hides}” (`banner.off` does that)"
    return ""


def quarrel(site: SiteRepository, ref: str, aim: Aim) -> str:
    """Return in words how the site's own banner file would change the theme's banner; empty if it does not."""
    folder, _, name = aim.path.rpartition("/")
    stem = name.rpartition(".")[0]
    for one in sorted(site.names_in(folder, ref) & {f"{stem}{ending}" for ending in _ENDINGS}):
        path = f"{folder}/{one}"
        file = site.file(path, ref)
        if file is None:
            continue
        where = f"{path} in {site.repository}"
        own = {key: value for key, value in read_values(file.content, _KEYS, file=where).items() if value is not None}
        wrong = [f"`{key}: {_written(value)}`" for key, value in own.items() if not _harmless(key, value, aim)]
        if wrong:
            return (
                f"{where} is the site's own banner file, and {' and '.join(wrong)} in it would replace what the theme "
                "says. Take these lines out of it (or remove the file), then retry."
            )
    return ""


def _harmless(key: str, value: Value, aim: Aim) -> bool:
    if aim.shows is None:
        return key != "enabled" or value is False
    if key == "enabled":
        return value is True
    if key == "text":
        return value == aim.shows
    return value == aim.banner.get(key, value)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else value
