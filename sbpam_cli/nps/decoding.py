"""JSON of the server, by msgspec: only the fields named here get past it.

Replies hold password hashes, keys and the like. Names: vendor's 4.1 and 4.2 pages.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any


class WireError(Exception):
    """A reply that cannot be understood. The message says how, without its values."""


class OddError(WireError):
    """JSON, but of another shape."""


_OUTCOME = "status statusDescription failureReason"
_HOST = "os ipAddress"


@cache
def decoders() -> dict[str, Any]:
    """By the kind of reply. A field may be anything; what has fields is an object or null."""
    from msgspec import UNSET, Raw, UnsetType, defstruct
    from msgspec.json import Decoder

    array: Any = list  # Types that are made at run time are none to a type checker.

    def struct(struct_name: str, fields: str, /, **typed: Any) -> Any:
        own = [(field, Any, None) for field in fields.split()]
        return defstruct(
            struct_name, [*own, *((key, *one) for key, one in typed.items())], gc=False
        )

    told = struct("Told", f"{_OUTCOME} timeStarted timeFinished")
    own = f"{_HOST} version hostId credentialId {_OUTCOME}"
    host = struct("Host", own, name=(Any, UNSET), dnsHostName=(Any, UNSET))
    join = struct(
        "Join",
        "",
        hostScanHost=(host | UnsetType | None, UNSET),
        actionQueue=(told | UnsetType | None, UNSET),
    )
    job = "id status statusDescription createdDateTimeUtc createdBy nodeId"
    lists = {"hostScanHostStatus": host, "hostScanJobHostJoin": join}
    arrays = {key: (array[one | None] | None, None) for key, one in lists.items()}
    unit = struct("Unit", "distinguishedName") | None
    account = "credentialId userName domain displayName resource platform managedType"
    named = "id username domain name resource platform managedType"
    known = f"name displayName dnsHostName {_HOST} lastScanTimeUtc saName serviceAccountName"
    kinds = {
        "job": struct("Job", job, **arrays),
        "bare job": struct("BareJob", job),
        "accounts": struct("Account", account),
        "named accounts": struct("NamedAccount", named),
        "hosts": struct("Known", f"{known} disableWinRm distinguishedName", host=(unit, None)),
        "checked": struct("Checked", "dnsHostName dnsHostNameError credentialNameError"),
        "page": struct("Page", "recordsTotal", data=(list[Raw] | None, None)),
        "rows": list[Raw],
        "names": array[str | None],
        "any": Any,
    }
    decoders = {kind: Decoder(type_) for kind, type_ in kinds.items()}
    return decoders | {"no host": host(), "no join": join(), "untold": told()}


def decode(content: bytes, kind: str = "any") -> Any:
    """The JSON value in a body; bytes that are no UTF-8 are replaced. Raises WireError."""
    import msgspec

    try:
        return decoders()[kind].decode(content)
    except msgspec.ValidationError as error:
        raise OddError("the reply is not of the form that was expected") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        mended = content.decode("utf-8-sig", "replace").encode()
        if mended == content:
            raise WireError("the reply is not JSON") from error
        return decode(mended, kind)


def decode_rows(rows: Iterable[bytes], kind: str) -> Iterator[Any]:
    """The objects of a list, in their places: what is none is an empty one."""
    for row in rows:
        try:
            yield decode(bytes(row), kind)
        except OddError:
            yield decode(b"{}", kind)
