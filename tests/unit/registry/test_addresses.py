"""Addresses: however a host is spelt, what it reaches is seen."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundlewatch.registry.addresses import Reach, literal, reach_of_address, reach_of_host
from unit.registry.hard_cases import rows


@pytest.mark.parametrize("case", rows("addresses", identify="host"))
def test_a_host_reaches_as_far_as_a_resolver_would_take_it(case: dict[str, str]) -> None:
    assert reach_of_host(str(case["host"])) is Reach[case["reach"]]


@given(st.ip_addresses(v=4))
def test_every_spelling_of_an_address_is_that_address(address: object) -> None:
    number = int(socket.inet_aton(str(address)).hex(), 16)
    first, rest = number >> 24, number & 0xFFFFFF
    for spelling in (str(number), hex(number), f"{first}.{rest}", f"0{first:o}.{rest}", f"{hex(first)}.{hex(rest)}"):
        assert str(literal(spelling)) == str(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(address: object) -> None:
    inner = literal(str(address))
    outer = literal(f"::ffff:{address}")
    assert inner is not None
    assert outer is not None
    assert reach_of_address(outer) is reach_of_address(inner)
