"""A GitHub App's way in: a signed token, its installation, and an hour's token, narrowed or refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.github import GitHub
from tests.sandbox.github.conftest import REPO, Caller


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def app_url(github: GitHub, url: str, key: rsa.RSAPrivateKey) -> str:
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    app = github.register_app(77, key.public_key().public_bytes(*form).decode())
    github.install(app, "acme")
    return url


def signed(key: rsa.RSAPrivateKey, **changes: Any) -> dict[str, str]:
    now = int(datetime.now(UTC).timestamp())
    claims = {"iss": "77", "iat": now - 60, "exp": now + 540} | changes
    return {"authorization": f"Bearer {jwt.encode(claims, key, algorithm='RS256')}"}


def test_from_key_to_work(github: GitHub, app_url: str, key: rsa.RSAPrivateKey) -> None:
    found = httpx.get(f"{app_url}/repos/{REPO}/installation", headers=signed(key)).json()
    assert (found["app_id"], found["account"]["login"]) == (77, "acme")
    given = httpx.post(found["access_tokens_url"], headers=signed(key))
    assert given.status_code == 201
    call = Caller(app_url, given.json()["token"])
    assert call.propose()["user"]["login"] == "maint[bot]"
    refused = httpx.get(f"{app_url}/user", headers={"authorization": f"Bearer {given.json()['token']}"})
    assert refused.status_code == 403
    real = github.clock
    github.clock = lambda: real() + timedelta(hours=1, seconds=1)
    assert call("GET", "").json()["message"] == "Bad credentials"


def test_a_narrowed_token(github: GitHub, app_url: str, key: rsa.RSAPrivateKey) -> None:
    github.create_repository("acme/other", {"a": "b"})
    found = httpx.get(f"{app_url}/app/installations", headers=signed(key)).json()[0]
    ask = {"repositories": ["theme"], "permissions": {"contents": "read"}}
    token = httpx.post(found["access_tokens_url"], headers=signed(key), json=ask).json()["token"]
    call = Caller(app_url, token)
    assert call("GET", "/contents/README.md").status_code == 200
    refused = call("POST", "/git/refs", ref="refs/heads/x", sha="0" * 40)
    assert refused.json()["message"] == "Resource not accessible by integration"
    other = httpx.get(f"{app_url}/repos/acme/other", headers={"authorization": f"Bearer {token}"})
    assert other.status_code == 404
    for greedy in ({"permissions": {"administration": "write"}}, {"repositories": ["none"]}):
        assert httpx.post(found["access_tokens_url"], headers=signed(key), json=greedy).status_code == 422


def test_bad_tokens(app_url: str, key: rsa.RSAPrivateKey) -> None:
    now = int(datetime.now(UTC).timestamp())
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def tried(headers: dict[str, str]) -> tuple[int, str]:
        answer = httpx.get(f"{app_url}/app", headers=headers)
        return answer.status_code, answer.json().get("message", "")

    assert tried(signed(key))[0] == 200
    assert tried(signed(stranger)) == (401, "A JSON web token could not be decoded")
    assert tried({"authorization": "Bearer a-token"}) == (401, "A JSON web token could not be decoded")
    assert tried(signed(key, iss="78")) == (404, "Integration not found")
    assert "too far in the future" in tried(signed(key, exp=now + 3600))[1]
    assert "at which the assertion expires" in tried(signed(key, exp=now - 1))[1]
    assert "'Issued at'" in tried(signed(key, iat=now + 600))[1]
    assert httpx.get(f"{app_url}/repos/acme/none/installation", headers=signed(key)).status_code == 404
    assert httpx.post(f"{app_url}/app/installations/5/access_tokens", headers=signed(key)).status_code == 404
