"""GitHub: files of repositories, and the banner of the marketing sites, changed through pull requests."""

from integrations.github.banner import BannerOff, BannerOn
from integrations.github.change import GithubChange
from integrations.github.change_log import ChangeLog
from integrations.github.connect import look
from integrations.github.post import Post

__all__ = ["BannerOff", "BannerOn", "ChangeLog", "GithubChange", "Post", "look"]
