"""Fixtures that every test may use."""

import hypothesis
import pytest

# How long an example takes is the machine's affair, and no failure.
hypothesis.settings.register_profile("maint", deadline=None)
hypothesis.settings.load_profile("maint")

pytest_plugins = ["tests.maintenance_fixtures", "tests.postgres_fixtures"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones, which kill the bot again and again, so that no worker is left alone with them."""
    items.sort(key=lambda item: "kill" not in item.nodeid)
