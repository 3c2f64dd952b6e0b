"""What the HTTP libraries raise, in our words.

Classes are known by name: a client that is brought may be of httpx2, or of anything else with that face.
"""

from __future__ import annotations

from agentkit.errors import AgentkitError, Cancelled, ConfigurationError, ConnectionLost, TimedOut, Unreadable
from agentkit.models.transport.seam import Patience

_NO_CONNECTION_IN_TIME = {"ConnectTimeout", "ConnectionTimeoutError"}
_OUT_OF_TIME = {"TimeoutException", "TimeoutError"}
_MISTAKEN = {
    "InvalidURL",
    "UnsupportedProtocol",
    "LocalProtocolError",
    "InvalidUrlClientError",
    "NonHttpUrlClientError",
}
_GARBLED = {"DecodingError", "ContentEncodingError"}
_NO_CONNECTION = {"ConnectError", "ClientConnectorError", "ProxyError", "ClientHttpProxyError"}
_BROKEN = {"HTTPError", "StreamError", "ClientError", "OSError", "BrokenResourceError", "ClosedResourceError"}


def ended(reason: str, patience: Patience, where: str) -> AgentkitError:
    """The error for a request that we ended: `reason` is the limit that passed, or `"stop"`."""
    if reason == "stop":
        return Cancelled(f"the request to `{where}` was stopped")
    seconds = getattr(patience, reason)
    said = {
        "connect": f"no connection to `{where}` within {seconds:g} s",
        "first_byte": f"`{where}` sent no content within {seconds:g} s",
        "idle": f"`{where}` fell silent for {seconds:g} s in the middle of its answer",
        "total": f"the answer of `{where}` was not whole after {seconds:g} s",
    }[reason]
    return TimedOut(f"{said} (limit `{reason}`); try again, or allow more time with `timeout=`")


def names_of(error: BaseException) -> set[str]:
    """The names of the classes of an error."""
    return {one.__name__ for one in type(error).__mro__}


def explained(error: Exception, where: str, patience: Patience) -> AgentkitError | None:
    """The error to raise in place of what a library raised; `None` where it is nothing of HTTP's.

    Args:
        error: What was raised.
        where: Host and port, for the message.
        patience: The limits of the request.
    """
    names = names_of(error)
    seconds, limit = patience.connecting()
    if names & _NO_CONNECTION_IN_TIME and seconds is not None:
        return ended(limit, patience, where)
    if names & (_OUT_OF_TIME | _NO_CONNECTION_IN_TIME):
        return TimedOut(f"a time limit of the HTTP client itself passed while `{where}` was asked: raise it there")
    if names & _MISTAKEN:
        # what the library says may quote a header
        return ConfigurationError(
            f"the request to `{where}` cannot be sent as it is ({type(error).__name__}): look at the address and"
            " the headers",
            code="bad-address",
        )
    if names & _GARBLED or names_of(error.__cause__ or error) & _GARBLED:
        return Unreadable(
            f"the answer of `{where}` cannot be decompressed: look at what stands between, a proxy perhaps"
        )
    if not names & _BROKEN:
        return None
    said = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return ConnectionLost(
            f"the certificate of `{where}` is not trusted ({said}): check the address, or give `verify=` the file "
            "with your authority's certificate",
            code="untrusted-certificate",
        )
    if names & _NO_CONNECTION:
        return ConnectionLost(
            f"no connection to `{where}` ({said}): check the address, the network and the proxy", code="no-connection"
        )
    return ConnectionLost(f"the connection to `{where}` broke before the answer was whole ({said}): try again")
