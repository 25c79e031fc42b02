"""Where a connection may go: only to what the configuration names, and not to where a name was bent to point at."""

import ipaddress
import socket

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

# Where clouds tell a machine's own secrets, beside the link-local ones.
_METADATA = frozenset(map(ipaddress.ip_address, ("100.100.100.200", "fd00:ec2::254")))


class ForbiddenError(OSError):
    """A connection that must not be made. Carries no address."""


def is_forbidden(error: BaseException) -> bool:
    """Whether that is what an error of the client library comes from."""
    chain: BaseException | None = error
    while chain is not None and not isinstance(chain, ForbiddenError):
        chain = chain.__cause__ or chain.__context__
    return chain is not None


def is_public_enough(address: str, host: str) -> bool:
    """Whether a name may stand for this address: private networks yes (gateways live there), this machine only for
    `localhost`, and never link-local addresses, those of metadata services, or such as are nobody's.

    An address that the configuration itself names is not asked for: whoever writes it means it.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    if found.is_loopback:
        return host == "localhost" or host.endswith(".localhost")
    return not (found.is_link_local or found.is_unspecified or found.is_multicast or found in _METADATA)


class Resolver(AbstractResolver):
    """The system's answer, without the addresses that no name may stand for. What it answered is what is connected
    to, so that a name cannot change between the look and the connection."""

    def __init__(self, system: AbstractResolver | None = None) -> None:
        self._system = system or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        kept = [each for each in found if is_public_enough(each["host"], host)]
        if found and not kept:
            raise ForbiddenError("the name stands for an address that is refused")
        return kept

    async def close(self) -> None:
        await self._system.close()
