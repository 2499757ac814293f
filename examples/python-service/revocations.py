"""Follows the list of revocations, so that a revoked token is refused within about a second.

The format is in docs/verifying.md, "The list of revocations"."""

import base64
import hashlib
import random
import threading
import time
import urllib.parse
import urllib.request

from signet_tokens import ISSUER, read

URL = f"{ISSUER}/.well-known/revocations"
WAIT, LIMIT_SECONDS, LIMIT_BYTES, FULL_EVERY = 25, 5, 16 * 1024 * 1024, 900


def digest(kind, value):
    return hashlib.sha256(f"{kind}:{value}".encode()).digest()[:16]


def covers(since, own):
    """True if a delta from `since` on omits nothing for a reader at `own`: docs/verifying.md, step 5."""
    its, ours = since.split("."), own.split(".")
    if since == own or len(its) < 2 or len(ours) < 2:
        return since == own
    return its[0] == ours[0] and int(its[1]) <= int(ours[1]) and its[2:] in ([], ours[2:])


def earlier(one, two):
    """The earlier of two cursors, from which a reader of both misses nothing."""
    a, b = one.split("."), two.split(".")
    if len(a) < 2 or len(b) < 2 or a[0] != b[0]:
        raise ValueError("parts of different histories")
    if a[1] != b[1]:
        return one if int(a[1]) < int(b[1]) else two
    return one if a == b else ".".join(a[:2])


class Revocations:
    def __init__(self):
        self._expiries, self._seq, self._full_at, self._fresh_at = {}, None, 0.0, 0.0

    def follow(self):
        """Tries to read the first list and continues in a daemon thread."""
        pause = self._turn()
        threading.Thread(target=self._run, args=(pause,), daemon=True).start()

    def hold(self, kid, claims):
        marks = [("jti", claims["jti"]), ("client", claims["client_id"]), ("kid", kid)]
        if "sid" in claims:
            marks.append(("sid", claims["sid"]))
        return any(digest(*mark) in self._expiries for mark in marks)

    @property
    def stale_seconds(self):
        """The age of the list. A service that prefers to refuse compares it with 60."""
        return time.time() - self._fresh_at

    def _run(self, pause):
        while True:
            time.sleep(pause)
            pause = self._turn()

    def _turn(self):
        """Returns the pause before the next attempt. It never raises, because following must not end."""
        try:
            self._poll()
            return 0.5
        except Exception as error:  # pylint: disable=broad-except
            print(f"revocations: {error!r}", flush=True)
            return random.uniform(1, 5)

    def _poll(self):
        if time.time() - self._full_at >= FULL_EVERY:
            self._seq = None  # A restored database may have lost what deltas never repeat.
        asked, self._seq = self._seq, None  # After any failure below: the full list again.
        claims = self._apply({"since": asked, "wait": WAIT, "part": 0} if asked else {"part": 0})
        seq, read_at, of = claims["seq"], claims["iat"], claims.get("of", 1)
        for part in range(1, of):
            claims = self._apply({"part": part, "of": of})
            if "of" not in claims:  # An older server, which sends it in one answer.
                seq, read_at = claims["seq"], claims["iat"]
                break
            seq, read_at = earlier(seq, claims["seq"]), min(read_at, claims["iat"])
        now = time.time()
        self._fresh_at = max(self._fresh_at, min(read_at, now))
        if "since" not in claims:
            self._full_at = now
        self._seq = seq

    def _apply(self, query):
        """Merges one answer: a delta, the full list, or a part of it."""
        text = self._fetch(query)
        header, claims = read(text, "revocations+jwt", "revocations-part+jwt", leeway=60)
        if digest("kid", header["kid"]) in self._expiries:
            raise ValueError("signed by a revoked key")
        if "since" in claims and not ("since" in query and covers(claims["since"], query["since"])):
            raise ValueError("a delta for somebody else")
        is_part = header["typ"] == "revocations-part+jwt"
        if is_part != ("of" in claims) or (
            is_part and (claims["part"], claims["of"]) != (query["part"], query.get("of", claims["of"]))
        ):
            raise ValueError("a part that was not asked for")
        now, news = time.time(), {}
        for expiry, packed in claims["revoked"].items():
            digests = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
            for at in range(0, len(digests), 16):
                news[digests[at : at + 16]] = int(expiry)
        # Merge, never replace: a replayed old list takes nothing back.
        united = {**self._expiries, **news}
        self._expiries = {mark: expiry for mark, expiry in united.items() if expiry > now - 60}
        return claims

    @staticmethod
    def _fetch(query):
        seconds = LIMIT_SECONDS + query.get("wait", 0)
        deadline, text = time.monotonic() + seconds, b""
        url = f"{URL}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            while chunk := answer.read1(65536):
                text += chunk
                if len(text) > LIMIT_BYTES or time.monotonic() > deadline:
                    raise ValueError("too long a list, or too slow")
        return text.decode("ascii")
