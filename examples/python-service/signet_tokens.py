"""Verifies access tokens of Signet locally: RFC 9068 §4. revocations.py adds revocations."""

import json
import os
import threading
import time
import urllib.request

import jwt

ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:3000")
# The name of this service. Tokens of the demo client are for the issuer itself.
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)
REQUIRED = ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"]

Refused = jwt.InvalidTokenError


class Unavailable(Exception):
    """No key has been fetched yet, so the token cannot be checked: 503, not 401."""


class SigningKeys(jwt.PyJWKClient):
    """PyJWKClient with a timeout that keeps the last keys and limits fetches."""

    def __init__(self, uri, seconds=300, cooldown=30, limit=5):
        super().__init__(uri, lifespan=seconds)
        self._cooldown, self._limit = cooldown, limit
        self._lock, self._next, self._last = threading.Lock(), 0.0, None

    def fetch_data(self):
        with self._lock:
            if time.monotonic() >= self._next:
                try:
                    with urllib.request.urlopen(self.uri, timeout=self._limit) as answer:
                        self._last = json.load(answer)
                    self._next = time.monotonic() + self._cooldown
                except (OSError, ValueError):
                    self._next = time.monotonic() + 2
            if self._last is None:
                raise Unavailable(self.uri)
            self.jwk_set_cache.put(self._last)
            return self._last


keys = SigningKeys(f"{ISSUER}/.well-known/jwks.json")


def read(token, *kinds, **rules):
    """Header and claims of a JWT that the issuer signed, of one of these kinds. Raises Refused or Unavailable."""
    try:
        header = jwt.get_unverified_header(token)
    except RecursionError as error:
        raise Refused("nested too deeply") from error
    # RFC 8725 §3.1, §3.11: never accept a list of revocations as a token, or a token as a list.
    if header.get("alg") != "RS256" or header.get("typ") not in kinds:
        raise Refused(f"not {kinds[0]}")
    try:
        key = keys.get_signing_key(header.get("kid")).key
    except jwt.PyJWKClientError as error:
        raise Refused("unknown kid") from error
    return header, jwt.decode(token, key, algorithms=["RS256"], issuer=ISSUER, **rules)


def verify(token):
    """The kid and the claims of a valid access token."""
    header, claims = read(token, "at+jwt", audience=AUDIENCE, leeway=5, options={"require": REQUIRED})
    return header["kid"], claims
