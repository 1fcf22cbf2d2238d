"""Says in plain words why a call got no usable answer, and what the reader can do about it.

The words stay the same when the same happens again (no ports, times or addresses that vary): they end up in a
status, which must not be rewritten for nothing. Knows aiohttp's and the operating system's errors, and nothing
of what was asked.
"""

import os
import ssl
from enum import Enum, auto

import aiohttp

from bundlewatch.registry.proxies import Proxy
from bundlewatch.registry.resolver import RefusedAddressError
from bundlewatch.registry.wire import WastefulError

_REACHABLE = "check that the registry runs and that its host and port are right"

_CERTIFICATE = "if it wants a client certificate, check tls.crt and tls.key in the Secret of spec.access.caSecretRef"
_PROXY = "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the operator"
# What OpenSSL calls the alerts by which a server refuses our certificate, or the lack of one.
_REFUSALS = frozenset(
    {
        "TLSV13_ALERT_CERTIFICATE_REQUIRED",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_EXPIRED",
        "SSLV3_ALERT_CERTIFICATE_REVOKED",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
        "TLSV1_ALERT_UNKNOWN_CA",
    }
)


class Blame(Enum):
    """What was at fault, as far as it makes a difference to what is done next."""

    OUTAGE = auto()  # the host could not be reached or did not finish: nobody needs to ask it just now
    HURRY = auto()  # we had less time left than a call may take: that says nothing about the host
    ANSWER = auto()  # the host is there, and its answer is no good
    SIZE = auto()  # the answer is longer than what was asked for may be
    TRUST = auto()  # the host's certificate and our authorities do not fit; others may trust it


class CallError(Exception):
    """There is no usable answer. Carries nothing of the request, since that holds credentials.

    `cause` goes on after "the host …"; `cure` is a hint to the reader, or empty.
    """

    def __init__(self, cause: str, *, cure: str = "", blame: Blame = Blame.OUTAGE) -> None:
        super().__init__(cause)
        self.cause = cause
        self.cure = cure
        self.blame = blame


def explain(  # noqa: C901, PLR0912 - a table, row by row
    error: Exception, *, scheme: str, proxy: Proxy | None = None, shown: bool = False
) -> CallError:
    """What happened, from the exception that an HTTP library gave up with.

    `proxy` stood in between, if any; `shown`: the host could have had a client certificate of ours.
    """
    root: BaseException = error
    while not isinstance(root, aiohttp.ClientError | OSError) and root.__cause__ is not None:
        root = root.__cause__  # httpx wraps what happened, and misnames it
    refusal = _certificate_refusal(root, shown=shown)
    if refusal is not None:
        return refusal
    match root:
        case aiohttp.ClientHttpProxyError() if proxy is not None:
            return proxy_refusal(proxy, root.status)
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientConnectorDNSError() if proxy is not None:
            why = "has a name that cannot be resolved"
            if not isinstance(root, aiohttp.ClientConnectorDNSError):
                why = _unreachable(root.os_error).cause
            return CallError(f"cannot be asked, since the proxy {proxy} {why}", cure=_PROXY)
        case aiohttp.ConnectionTimeoutError():
            return CallError("could not be connected to in time", cure=_REACHABLE)
        case aiohttp.ServerTimeoutError():
            return CallError("stopped sending in the middle of a call")
        case aiohttp.ClientConnectorCertificateError():
            return _distrusted(root.certificate_error)
        case aiohttp.ClientConnectorDNSError():
            if isinstance(root.os_error, RefusedAddressError):
                return CallError("has a name that leads to an address where no registry may be", blame=Blame.ANSWER)
            return CallError("has a name that cannot be resolved", cure="check the host's spelling, and DNS")
        case aiohttp.ClientConnectorSSLError():
            return _no_tls(root.os_error)
        case aiohttp.ClientConnectorError():
            return _unreachable(root.os_error)
        case WastefulError():
            return CallError(str(root), blame=Blame.ANSWER)
        case aiohttp.ClientPayloadError():
            return CallError("broke off in the middle of its answer")
        case aiohttp.ClientResponseError():
            cure = "if it speaks TLS, remove spec.access.insecure" if scheme == "http" else ""
            return CallError("answers with something that is not proper HTTP", cure=cure, blame=Blame.ANSWER)
        case aiohttp.ClientConnectionError() | ConnectionResetError() | BrokenPipeError():
            # TLS 1.3 refuses a certificate after the handshake, and a reset may overtake the alert that says so.
            cure = _CERTIFICATE if scheme == "https" else ""
            return CallError("closed the connection without an answer", cure=cure)
        case ssl.SSLError():
            return _no_tls(root)
        case OSError():
            return _unreachable(root)
        case _:
            return CallError(f"could not be asked ({type(root).__name__})")


def proxy_refusal(proxy: Proxy, status: int) -> CallError:
    """The proxy answered, and not the host."""
    if status == 407:
        return CallError(
            f"cannot be asked, since the proxy {proxy} wants another login than it gets (407)",
            cure="check the user name and password in HTTPS_PROXY and HTTP_PROXY of the operator",
        )
    return CallError(f"cannot be asked, since the proxy {proxy} does not connect to it ({status})", cure=_PROXY)


def _certificate_refusal(root: BaseException, *, shown: bool) -> CallError | None:
    seen: object = root
    for _ in range(4):  # aiohttp keeps the alert as a cause, or as the error of its connection
        if isinstance(seen, ssl.SSLError) and getattr(seen, "reason", None) in _REFUSALS:
            break
        seen = getattr(seen, "os_error", None) or getattr(seen, "__cause__", None)
    else:
        return None
    if shown:
        return CallError(
            "refuses our client certificate",
            cure="check that tls.crt in the Secret of spec.access.caSecretRef has not expired, and that the registry "
            "trusts the authority that signed it",
            blame=Blame.TRUST,
        )
    return CallError(
        "wants a client certificate",
        cure="put one into tls.crt and tls.key of the Secret of spec.access.caSecretRef",
        blame=Blame.TRUST,
    )


def _distrusted(error: Exception) -> CallError:
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "no reason given"
    return CallError(
        f"shows a certificate that cannot be verified ({why})",
        cure="if it has its own authority, put that one's certificate into the Secret of spec.access.caSecretRef",
        blame=Blame.TRUST,
    )


def _no_tls(error: OSError) -> CallError:
    if isinstance(error, ssl.SSLError) and error.reason in {"WRONG_VERSION_NUMBER", "HTTP_REQUEST"}:
        return CallError(
            "does not speak TLS",
            cure="if it is meant to be reached by plain HTTP, set spec.access.insecure to true",
        )
    return CallError("did not agree with us on TLS (1.2 or newer is needed)")


def _unreachable(error: OSError) -> CallError:
    if isinstance(error, ConnectionRefusedError):
        return CallError("refused the connection", cure=_REACHABLE)
    why = os.strerror(error.errno) if error.errno else "no reason given"
    return CallError(f"cannot be reached ({why})", cure=_REACHABLE)
