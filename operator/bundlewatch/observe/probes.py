"""`/healthz` and `/readyz`: whether to restart us, and whether we see the cluster.

Healthy means that the engine's own loop turns; an API server or a registry that is away is no reason to be
restarted. Ready means that every BundleWatch and Application there was at the start has been seen.
"""

import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from bundlewatch.errors import Mistake


@asynccontextmanager
async def serve(
    *, host: str, port: int, healthy: Callable[[], str | None], ready: Callable[[], str | None]
) -> AsyncIterator[int]:
    """Serve both probes while the block runs; yields the port. A check returns None, or what is wrong.

    Raises Mistake when the address cannot be listened on.
    """
    application = web.Application()
    application.router.add_get("/healthz", _answer(healthy))
    application.router.add_get("/readyz", _answer(ready))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            why = "address in use" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
            raise Mistake(
                f"cannot serve probes on {host}:{port}: {why}; choose another with --probe-address"
            ) from error
        server = site._server  # noqa: SLF001 - aiohttp tells the port it was given nowhere else
        sockets = getattr(server, "sockets", None) or ()
        yield next((socket.getsockname()[1] for socket in sockets), port)
    finally:
        await runner.cleanup()


def _answer(check: Callable[[], str | None]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(_: web.Request) -> web.Response:
        problem = check()
        return web.Response(status=503 if problem else 200, text=problem or "ok")

    return respond
