"""Metrics for Prometheus and a health check: the service `metrics`."""

from __future__ import annotations

from collections.abc import Iterable

from pyquarantine_core.errors import ConfigError
from pyquarantine_core.hookspecs import hookimpl
from pyquarantine_core.types import Service, Services, ServiceType

__version__ = "3.0.0"


def _build(address: str, services: Services) -> Service:
    from pyq_metrics.service import Metrics  # noqa: PLC0415 - declaring costs nothing

    port = int(address.rpartition(":")[2])
    if port > 65535:
        raise ConfigError(f"{port} is not a port; the highest is 65535")
    return Metrics(address, services.outbox)


@hookimpl
def pyquarantine_services() -> Iterable[ServiceType]:
    yield ServiceType(
        name="metrics",
        summary="Serve metrics for Prometheus at /metrics, and a health check at /health",
        schema={
            "type": "string",
            "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*):[0-9]{1,5}$",
            "x-expected": "HOST:PORT, such as 127.0.0.1:9797 or [::1]:9797",
            "description": "HOST:PORT to serve at, over HTTP, to whoever can connect. The counts "
            "are kept in the directory `metrics` beside that of `outbox`.",
        },
        build=_build,
    )
