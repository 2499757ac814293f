"""A service that requires a valid access token of Signet. It uses PyJWT and the standard library."""

import json
import os
import re
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from revocations import Revocations
from signet_tokens import Refused, Unavailable, verify

PORT = int(os.environ.get("PORT", "4001"))
# The scope that an operation requires in addition to a valid token.
ROUTES = {"/": None, "/reports": "read"}
revocations = Revocations()


class Service(BaseHTTPRequestHandler):
    timeout = 30

    def do_GET(self):
        user = self.user()
        if user is None:
            return None
        path = urllib.parse.urlsplit(self.path).path
        if path not in ROUTES:
            return self.answer(404, {"error": "not_found"})
        scope = ROUTES[path]
        if scope and scope not in user.get("scope", "").split():
            return self.refuse(403, "insufficient_scope", f', scope="{scope}"')
        return self.answer(200, {"sub": user["sub"], "scope": user.get("scope")})

    def user(self):
        """The claims of the token; None if the request was answered by RFC 6750 §3."""
        headers = self.headers.get_all("Authorization", [])
        # Another scheme counts as no credentials: then the challenge names no error.
        if not headers or not re.match(r"bearer\b", headers[0], re.IGNORECASE):
            return self.answer(401, {"error": "unauthorized"}, 'Bearer realm="api"')
        # Accept one way to send a token, and never repeat it in an answer.
        bearer = re.fullmatch(r"bearer +([A-Za-z0-9._~+/-]+=*) *", headers[0], re.IGNORECASE)
        if len(headers) > 1 or not bearer:
            return self.refuse(400, "invalid_request")
        try:
            kid, claims = verify(bearer[1])
        except Refused:
            return self.refuse(401, "invalid_token")
        except Unavailable:
            return self.answer(503, {"error": "temporarily_unavailable"})
        if revocations.hold(kid, claims):
            return self.refuse(401, "invalid_token")
        return claims

    def refuse(self, status, error, more=""):
        return self.answer(status, {"error": error}, f'Bearer realm="api", error="{error}"{more}')

    def answer(self, status, body, challenge=None):
        content = json.dumps(body).encode()
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Overrides the default, which logs each request to standard error."""


if __name__ == "__main__":
    revocations.follow()
    print(f"ready on http://127.0.0.1:{PORT}", flush=True)
    try:
        ThreadingHTTPServer(("127.0.0.1", PORT), Service).serve_forever()
    except KeyboardInterrupt:
        pass
