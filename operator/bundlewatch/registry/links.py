"""The `Link` header of a listing, read for one thing: the query string of the next page.

The URL in it is never followed. Only its query is used, on the path that was asked, so that pagination cannot
send us (or a credential) elsewhere; that also repairs servers that write an internal host, another scheme or
a wrong prefix into it. Rules: RFC 8288 as far as registries use it, OCI distribution specification §"Listing
Tags".
"""

import re
from collections.abc import Iterable, Iterator

_MAX_QUERY_LENGTH = 4096
_QUERY = re.compile(r"[!$%&'()*+,./0-9:;=?@A-Z_a-z|~^{}\[\]-]+")
_PARAMETER = re.compile(r"""\s*;\s*([A-Za-z0-9*_-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?""")


class LinkError(ValueError):
    """There is a next page, and it cannot be told which; the message says why, and repeats nothing of it."""


def next_query(lines: Iterable[str]) -> str | None:
    """The query string of the next page; None: this was the last one. Raises LinkError.

    A link counts as the next page with `rel=next` among its relations, and without any `rel` at all.
    """
    for line in lines:
        for target, relations in _links(line):
            if relations is None or "next" in relations:
                return _query_of(target)
    return None


def _links(line: str) -> Iterator[tuple[str, frozenset[str] | None]]:
    position = 0
    while (start := line.find("<", position)) >= 0:
        end = line.find(">", start)
        if end < 0:
            raise LinkError("Link header is cut off")
        target, position, relations = line[start + 1 : end], end + 1, None
        while (match := _PARAMETER.match(line, position)) is not None:
            position = match.end()
            if match[1].lower() == "rel" and relations is None:
                value = match[2] if match[2] is not None else match[3] or ""
                relations = frozenset(value.lower().split())
        yield target, relations
    if position == 0 and line.strip():
        raise LinkError("Link header names no target")


def _query_of(target: str) -> str:
    query = target.partition("#")[0].partition("?")[2]
    if not query:
        raise LinkError("Link header names a next page without saying which")
    if len(query) > _MAX_QUERY_LENGTH or _QUERY.fullmatch(query) is None:
        raise LinkError("Link header has a query that is too long, or that no URL can have")
    return query
