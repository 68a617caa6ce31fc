"""The matchers of a silence are read as Prometheus writes them, and must not match everything."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bot.errors import Final
from bot.step import Setting
from integrations.alertmanager import URL, Matcher, Silence, Silences, address


@pytest.mark.parametrize(
    ("text", "name", "value", "regex", "equal"),
    [
        ("service=shop", "service", "shop", False, True),
        (' service = "shop" ', "service", "shop", False, True),
        ('alertname=~"Db.*|Pg.*"', "alertname", "Db.*|Pg.*", True, True),
        ('severity!="info"', "severity", "info", False, False),
        ("job!~db-[0-9]+", "job", "db-[0-9]+", True, False),
        (r'path="C:\\temp \"x\"\n"', "path", 'C:\\temp "x"\n', False, True),
        ('team=""', "team", "", False, True),
    ],
)
def test_a_matcher_is_read(text: str, name: str, value: str, regex: bool, equal: bool) -> None:
    read = Matcher.of(text)
    assert read.body() == {"name": name, "value": value, "isRegex": regex, "isEqual": equal}
    assert Matcher.of(read.text) == read


@given(st.text(max_size=30), st.sampled_from(["=", "!=", "=~", "!~"]))
def test_every_value_survives_writing(value: str, operator: str) -> None:
    matcher = Matcher("label", operator, value)
    assert Matcher.of(matcher.text) == matcher


@pytest.mark.parametrize(
    "matchers", [[], ["shop"], ["my-label=x"], ['{service="shop"}'], ['a="b" c="d"'], ['a="b'], ["=b"], ["a==b,c"]]
)
def test_what_is_no_matcher_is_refused(matchers: list[str]) -> None:
    with pytest.raises(ValidationError):
        Silence.model_validate({"matchers": matchers, "until": "x"})


@pytest.mark.parametrize("matchers", [['a=""'], ["a!=b"], ["a=~.*"], ["a!~.+"], ['a=~"x?"', "b!=c"]])
def test_matchers_that_fit_everything_are_refused(matchers: list[str]) -> None:
    with pytest.raises(ValidationError, match="everything would be silent"):
        Silence.model_validate({"matchers": matchers, "until": "x"})
    Silence.model_validate({"matchers": [*matchers, "service=shop"], "until": "x"})


@pytest.mark.parametrize("matchers", [["a=b"], ['a!=""'], ["a=~.+"], ["a!~.*"]])
def test_matchers_that_demand_a_label_are_taken(matchers: list[str]) -> None:
    Silence.model_validate({"matchers": matchers, "until": "x"})


@pytest.mark.parametrize("fields", [{"lease_s": 0}, {"lease_s": 86400}, {"until": None}, {"matcher": ["a=b"]}])
def test_bad_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Silence.model_validate({"matchers": ["a=b"], "until": "x", **fields})


@pytest.mark.parametrize(
    "url", ["alertmanager:9093", "ftp://example.com", "https://", "https://ana:hunter2@example.com"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Final, match=re.escape("MAINT_ALERTMANAGER_URL")) as caught:
        address(url, secret=False)
    assert "hunter2" not in str(caught.value)


def test_no_token_goes_over_an_open_line() -> None:
    assert address("http://alertmanager:9093/", secret=False) == "http://alertmanager:9093"
    assert address("http://127.0.0.1:9093", secret=True)
    with pytest.raises(Final, match="https://"):
        address("http://alertmanager:9093", secret=True)


def test_a_client_does_not_show_its_token() -> None:
    def value_of(setting: Setting) -> str:
        return "https://example.com" if setting == URL else "hunter2"

    with Silences(value_of, "[x:y]", "Title", ("a=b",)) as silences:
        assert "hunter2" not in repr(silences) + repr(vars(silences))
