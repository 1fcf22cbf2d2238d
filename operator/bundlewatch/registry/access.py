"""Who asks which registry for what, and by which way: the values that travel through this room.

Equal `Access` values may share tokens, connections and answers; different ones never do. Knows nothing of how
any of it is sent.
"""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote

from bundlewatch.errors import RegistryUnavailable
from bundlewatch.registry.credentials import ANONYMOUS, Credential
from bundlewatch.registry.reference import Repository
from bundlewatch.registry.tls import ClientCertificate
from bundlewatch.registry.urls import Origin, Url


@dataclass(frozen=True, slots=True)
class Access:
    """How a registry is reached."""

    credential: Credential = ANONYMOUS
    ca_pem: bytes | None = field(default=None, repr=False)  # trusted besides the system's authorities
    insecure: bool = False  # plain HTTP, to the repository's own host
    certificate: ClientCertificate | None = field(default=None, repr=False)  # shown to the repository's own origin
    mirror_of: str | None = None  # the registry host that a mirror is asked for, as in Repository.host


@dataclass(slots=True)
class Journal:
    """What an errand has left, and what it has told: all its calls together."""

    left_s: float  # that the calls may take on the wire; waiting for a turn is not counted
    told: set[str] = field(default_factory=set, repr=False)  # secrets that were sent along, never to be shown
    spent_s: float = 0.0  # so far

    def spend(self, seconds: float) -> None:
        self.left_s -= seconds
        self.spent_s += seconds


@dataclass(frozen=True, slots=True)
class Errand:
    """One question to one repository, however many calls it takes. `str()` opens every error about it."""

    repository: Repository
    access: Access
    journal: Journal = field(compare=False)
    reference: str | None = None  # the tag or digest that is looked up; None: the tags are listed
    logs_in: bool = False  # for a token that all who ask the repository may use, whatever they are after

    origin: Origin = field(init=False)

    def __post_init__(self) -> None:
        scheme = "http" if self.access.insecure else "https"
        url = Url.parse(f"{scheme}://{self.repository.api_host}")
        assert url is not None, "the grammar of references is narrower than that of URLs"
        object.__setattr__(self, "origin", url.origin)

    def url(self, rest: str, query: str = "") -> Url:
        """The API's URL of something in the repository: `tags/list`, `blobs/sha256:…`."""
        if self.access.mirror_of is not None and "ns" not in parse_qs(query, keep_blank_values=True):
            query = "&".join(filter(None, (query, f"ns={quote(self.access.mirror_of, safe='')}")))
        return Url(self.origin, f"/v2/{self.repository.path}/{rest}", query)

    def remaining_s(self) -> float:
        """Raises RegistryUnavailable when nothing is left."""
        if self.journal.left_s <= 0:
            raise RegistryUnavailable(f"{self}: {self.origin.authority} took too long over its answers")
        return self.journal.left_s

    def __str__(self) -> str:
        if self.logs_in:
            return f"logging in to pull {self.repository}"
        doing = f"looking up {self.reference} in" if self.reference else "listing the tags of"
        return f"{doing} {self.repository}"
