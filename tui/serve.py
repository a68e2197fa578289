"""The dashboard in a browser of this machine, with the package textual-serve."""

import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from runner.core.errors import ConfigError
from tui.language import later, tr

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

HOST = "127.0.0.1"
TOKEN_BYTES = 16
NOT_KEPT = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
MISSING = later(
    "--serve needs the package textual-serve: pip install '.[serve]', or "
    "python -m pip install 'textual-serve>=1.1.3,<2'"
)
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "connect-src 'self' ws://{address}; frame-ancestors 'none'"
)
"""The page may load nothing from anywhere else, and no other page may show it."""


def serve(words: Sequence[str], port: int) -> int:
    """Serve until Ctrl-C; every page that is opened is a dashboard of its own.

    Args:
        words: the dashboard's own command line, without --serve and --port.
        port: where to listen, on this machine only.

    Raises:
        ConfigError: textual-serve is not installed, or the port is taken.
    """
    try:
        from textual_serve.server import Server
    except ImportError:
        raise ConfigError(tr(MISSING)) from None
    address = f"{HOST}:{port}"
    token = secrets.token_urlsafe(TOKEN_BYTES)

    class Local(Server):  # type: ignore[misc, unused-ignore]
        async def _make_app(self) -> "web.Application":
            app: web.Application = await super()._make_app()
            app.middlewares.append(_only_with(token, port))
            return app

        async def on_startup(self, app: "web.Application") -> None:  # noqa: ARG002
            print(
                tr(
                    "the dashboard is at {address}  (this machine only, and anyone with this "
                    "address; Ctrl-C ends it)",
                    address=f"http://{address}/?token={token}",
                ),
                flush=True,
            )

        def initialize_logging(self) -> None:
            """Stay quiet."""

    program = shlex.join([sys.executable, "-m", "tui", *words])
    try:
        Local(program, host=HOST, port=port, title="Chorus").serve()
    except OSError as error:
        why = tr("{address} cannot be used ({strerror})", address=address, strerror=error.strerror)
        raise ConfigError(f"--port: {why}") from None
    return 0


def _only_with(token: str, port: int) -> "Middleware":
    """Refuse other users of this machine, other web pages, and names that point here.

    Keys can start a run. The token of the printed address becomes a cookie.
    """
    from aiohttp import web

    address, cookie = f"{HOST}:{port}", f"chorus-{port}"
    names = {address, f"localhost:{port}"}

    def is_ours(said: str | None) -> bool:
        return said is not None and secrets.compare_digest(said.encode(), token.encode())

    @web.middleware
    async def check(
        request: "web.Request",
        handler: "Callable[[web.Request], Awaitable[web.StreamResponse]]",
    ) -> "web.StreamResponse":
        origin = request.headers.get("Origin")
        if request.host not in names or (
            origin is not None and origin.removeprefix("http://") not in names
        ):
            raise web.HTTPForbidden(text=tr("this dashboard is for this machine only"))
        if is_ours(request.query.get("token")):
            if request.host != address:  # the cookie has to be the one that the page's calls send
                raise web.HTTPSeeOther(f"http://{address}/?token={token}")
            entered = web.Response(status=303, headers={"Location": "/", **NOT_KEPT})
            entered.set_cookie(cookie, token, httponly=True, samesite="Strict")
            return entered
        if not is_ours(request.cookies.get(cookie)):
            raise web.HTTPForbidden(text=tr("open the whole address that the dashboard printed"))
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = POLICY.format(address=address)
            response.headers.update(NOT_KEPT)
        return response

    return check
