"""Only public addresses are sent to, however an address is written."""

from __future__ import annotations

import pytest

from fencepost.app.sending.addresses import Refused, check

PRIVATE = [
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fdff::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
]

NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:169.254.169.254",
    "64:ff9b:1::7f00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "3ffe::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fe80::1",
    "fe80::1%lo",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "example.com",
    "",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


# OUTBOX-18
@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_send_to_private(address: str) -> None:
    with pytest.raises(Refused, match="not a public one"):
        check(address, private=False)
    check(address, private=True)


# OUTBOX-18
@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [False, True])
def test_some_addresses_are_never_sent_to(address: str, private: bool) -> None:
    with pytest.raises(Refused) as raised:
        check(address, private=private)

    assert not address or address not in str(raised.value)


# OUTBOX-18
@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_sent_to(address: str) -> None:
    check(address, private=False)


# OUTBOX-17
def test_a_refusal_is_no_error_after_which_the_next_address_is_tried() -> None:
    assert not issubclass(Refused, OSError | RuntimeError)
