"""A server that keeps us busy is hung up on; whatever else is a proper answer comes whole."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from bundlewatch.errors import RegistryMisbehaved
from bundlewatch.registry.client import Access, RegistryClient
from bundlewatch.registry.reference import Repository

PLAIN = Access(insecure=True)
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TAGS = [f"1.0.{number}" for number in range(100_000)]
BODY = b'{"tags":[' + b",".join(f'"{tag}"'.encode() for tag in TAGS) + b"]}"


@asynccontextmanager
async def server(answer: Iterable[bytes]) -> AsyncIterator[tuple[Repository, list[int]]]:
    """Sends these pieces to each request; beside it, how many bytes it got rid of."""
    sent = [0]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                for piece in answer:
                    writer.write(piece)
                    await writer.drain()
                    sent[0] += len(piece)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield Repository(f"127.0.0.1:{listening.sockets[0].getsockname()[1]}", "shop"), sent


async def listed(*answer: bytes) -> tuple[str, ...]:
    client = RegistryClient()
    async with server(answer) as (repository, _):
        try:
            for _ in range(2):  # over one connection
                tags = await client.list_tags(repository, access=PLAIN)
        finally:
            await client.aclose()
    return tags


def chunks(body: bytes, *, size: int) -> bytes:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        pytest.param([HINTS * 1000] * 20_000, "announces its answer more than 8 times", id="interim answers"),
        pytest.param([HINTS] * 9 + [chunks(BODY, size=4096)], "more than 8 times", id="nine interim answers"),
        pytest.param([CHUNKED, *[b"1\r\na\r\n" * 10_000] * 20_000], "too many pieces", id="chunks of a byte"),
        pytest.param([CHUNKED, *[b"10\r\n" + b"a" * 16 + b"\r\n"] * 200_000], "too many pieces", id="of 16 bytes"),
        pytest.param([CHUNKED, b"2;", *[b"a" * 10_000] * 10_000], "too many pieces|not proper HTTP", id="extensions"),
        pytest.param(
            [CHUNKED.replace(b"200", b"404"), *[b"1\r\na\r\n" * 10_000] * 20_000], "too many pieces", id="of an error"
        ),
    ],
)
async def test_a_server_that_keeps_us_busy_is_hung_up_on(answer: list[bytes], says: str) -> None:
    client = RegistryClient()
    async with server(answer) as (repository, sent):
        try:
            async with asyncio.timeout(10):
                with pytest.raises(RegistryMisbehaved, match=says):
                    await client.list_tags(repository, access=PLAIN)
        finally:
            await client.aclose()
        assert sent[0] < 16 << 20  # what fits into the buffers of both sides


@pytest.mark.parametrize("interim", [0, 1, 8])
@pytest.mark.parametrize("size", [40, 100, 4096, 1 << 20])
async def test_an_answer_in_pieces_comes_whole(interim: int, size: int) -> None:
    assert await listed(*[HINTS] * interim, chunks(BODY, size=size)) == tuple(sorted(TAGS))


async def test_a_short_answer_may_come_byte_by_byte() -> None:
    assert await listed(chunks(b'{"tags":["1.0.0"]}', size=1)) == ("1.0.0",)


async def test_an_answer_with_a_length_comes_whole_however_it_is_cut() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
    assert await listed(*(whole[start : start + 7001] for start in range(0, len(whole), 7001))) == tuple(sorted(TAGS))
