"""The command ``triage serve``: the review pages, for one person on this machine or behind a proxy."""

from __future__ import annotations

import copy
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from triage.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from triage.settings import Settings


class WithoutQuery(logging.Filter):
    """Leaves what follows the question mark of an address out of the access log: a key may stand there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the address of a line of the access log, whose arguments are fixed."""
        if isinstance(record.args, tuple) and len(record.args) > 2:
            client, method, address, *more = record.args
            record.args = (client, method, str(address).split("?", 1)[0], *more)
        return True


def add_serve(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command()
    def serve(
        host: Annotated[
            str, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")
        ] = "127.0.0.1",
        port: Annotated[
            int, typer.Option("--port", min=0, max=65535, metavar="N", help="Port; 0 takes a free one.")
        ] = 8080,
    ) -> None:
        """Serve the review pages until it is interrupted."""
        from triage.desk.web.identity import is_loopback
        from triage.settings import load

        settings = load()
        if settings.access_mode == "local" and not is_loopback(host):
            raise SettingsError(
                "access_mode is local: one person, on this machine alone",
                where=f"--host {host}",
                mend="leave --host out, or set access_mode to proxy or oidc: see docs/serving.md",
            )
        _serve(settings, host, port)


def _serve(settings: Settings, host: str, port: int) -> None:
    import uvicorn

    from triage.desk.web.app import create_app, identity_for
    from triage.desk.web.identity import LinkIdentity
    from triage.store import open_store

    with open_store(settings.store_url) as store:
        store.check()
        identity = identity_for(settings)
        pages = create_app(settings, store, identity=identity)
        with _listening(host, port) as listener:
            named = f"[{host}]" if ":" in host else host
            address = f"http://{named}:{listener.getsockname()[1]}"
            if isinstance(identity, LinkIdentity):
                typer.echo("Open this link once, within ten minutes:")
                typer.echo(f"{address}/enter?key={identity.key}")
            else:
                typer.echo(f"Serving {settings.public_url or 'the pages'} at {address}")
            # The headers of a proxy are read by the guards alone, from its networks alone.
            config = uvicorn.Config(
                pages, log_config=log_settings(), proxy_headers=False, server_header=False, lifespan="off"
            )
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(
            f"this address cannot be listened on: {error.strerror or type(error).__name__}",
            where=f"--host {host} --port {port}",
            mend="choose another port, or an address of this machine",
        ) from error


def log_settings() -> dict[str, Any]:
    """Return the server's settings of its logs: no query of an address, and the program's own errors."""
    from uvicorn.config import LOGGING_CONFIG

    log = copy.deepcopy(LOGGING_CONFIG)
    log["filters"] = {"without_query": {"()": WithoutQuery}}
    log["handlers"]["access"]["filters"] = ["without_query"]
    log["loggers"]["triage"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return log
