"""Which addresses a webhook may be sent to.

Source: the IANA special-purpose address registries (iana.org/assignments/iana-ipv4-special-registry
and iana-ipv6-special-registry, of 2025) and multicast. The table is our own: what `ipaddress` calls
global differs between versions of Python, and some of them count addresses of this machine to it,
such as 192.0.0.192, ::127.0.0.1 and 64:ff9b::7f00:1 with 3.11.7.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Allowed with send_to_private.
_PRIVATE: tuple[Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),  # shared by the customers of a provider
    IPv4Network("127.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)

# Never allowed. Link-local is where clouds have their credentials; 0.0.0.0 is this machine.
_NEVER: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),  # link-local
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.0.2.0/24"),  # documentation
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv4Network("198.18.0.0/15"),  # benchmarks
    IPv4Network("198.51.100.0/24"),  # documentation
    IPv4Network("203.0.113.0/24"),  # documentation
    IPv4Network("224.0.0.0/4"),  # multicast
    IPv4Network("240.0.0.0/4"),  # reserved, and broadcast
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("3ffe::/16"),  # given back
    IPv6Network("3fff::/20"),  # documentation
)

# The only part of IPv6 that is given out for use in the whole Internet.
_GLOBAL_IPV6 = IPv6Network("2000::/3")

# IPv4 within IPv6, and how many bits are to its right.
_EMBEDDED: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::/96"), 0),  # compatible
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (IPv6Network("::ffff:0:0:0/96"), 0),  # translatable
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)


class Refused(Exception):
    """Nothing is sent there, now or later; the reason has no address in it.

    It is neither an OSError nor a RuntimeError, because after those aiohttp tries the next
    address of the name.
    """


def check(address: str, *, private: bool) -> None:
    """Check an address as a socket or a resolver spells it.

    Args:
        private: Addresses of this machine and of its private networks are allowed.

    Raises:
        Refused: It is not allowed.
    """
    if "%" in address:
        raise Refused("the address has a zone id")
    try:
        found = ip_address(address)
    except ValueError:
        raise Refused("the address cannot be read") from None
    if not _is_allowed(found, private=private):
        more = "" if private or not _is_private(found) else " (send_to_private=True allows it)"
        raise Refused(f"the address is not a public one{more}")


def _is_allowed(address: Address, *, private: bool) -> bool:
    if address == IPv6Address("::1"):
        return private
    if isinstance(address, IPv6Address) and (inner := _within(address)) is not None:
        return _is_allowed(inner, private=private)
    if _is_private(address):
        return private
    if any(address in network for network in _NEVER):
        return False
    return isinstance(address, IPv4Address) or address in _GLOBAL_IPV6


def _is_private(address: Address) -> bool:
    return any(address in network for network in _PRIVATE)


def _within(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that one of IPv6 stands for."""
    for network, shift in _EMBEDDED:
        if address in network:
            return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None
