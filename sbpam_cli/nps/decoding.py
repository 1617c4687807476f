"""JSON of the server, by msgspec: only the fields named here get past it.

Replies hold password hashes, keys and the like. Names: vendor's 4.1 and 4.2 pages.
"""

import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any

LARGEST_ELEMENT = 64 << 20
"""Of the list of jobs, in bytes."""
_MOST_OBJECTS = 1 << 22
"""Each takes a hundred bytes: a reply that is full of `{}` would take gigabytes."""
_BYTES_PER_VALUE = 8
"""On average, at least: names of fields are long."""
_SAMPLED, _SAMPLED_EVERY = 64, 1 << 14
"""One byte in so many is looked at, in pieces that are so far apart."""


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
        "claims": struct("Claims", "exp iat"),
        "any": Any,
    }
    decoders = {kind: Decoder(type_) for kind, type_ in kinds.items()}
    return decoders | {"no host": host(), "no join": join(), "untold": told()}


def decode(content: bytes, kind: str = "any") -> Any:
    """The JSON value in a body; bytes that are no UTF-8 are replaced. Raises WireError."""
    import msgspec

    if len(content) > _MOST_OBJECTS:
        # Half as full as it may be: then all of it is counted.
        suspicious = _has_too_many(_sample(content), 0.5 / _SAMPLED, 2 * _BYTES_PER_VALUE)
        if suspicious and _has_too_many(content, 1, _BYTES_PER_VALUE):
            raise WireError("the reply has more values than this program can hold")
    try:
        return decoders()[kind].decode(content)
    except msgspec.ValidationError as error:
        raise OddError("the reply is not of the form that was expected") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        mended = content.decode("utf-8-sig", "replace").encode()
        if mended == content:
            raise WireError("the reply is not JSON") from error
        return decode(mended, kind)


def _has_too_many(part: bytes, share: float, bytes_per_value: int) -> bool:
    objects = part.count(b"{") + part.count(b"[")
    return objects > _MOST_OBJECTS * share or part.count(b",") * bytes_per_value > len(part)


def _sample(content: bytes) -> bytes:
    """Of places that nobody can foresee. To count in all of it takes longer than to decode it."""
    first = int.from_bytes(os.urandom(2)) % _SAMPLED_EVERY
    size = _SAMPLED_EVERY // _SAMPLED
    return b"".join([content[at : at + size] for at in range(first, len(content), _SAMPLED_EVERY)])


def decode_rows(rows: Iterable[bytes], kind: str) -> Iterator[Any]:
    """The objects of a list, in their places: what is none is an empty one."""
    for row in rows:
        try:
            yield decode(bytes(row), kind)
        except OddError:
            yield decode(b"{}", kind)


_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)
_TO_BRACKET_OR_COMMA = re.compile(rb'(?:[^"\[\]{},]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{},]', re.DOTALL)


def elements(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The elements of a JSON array, as its bytes arrive: holds one and a chunk at most.

    Raises WireError if the body is no array, ends before the array does, or goes on after
    it; the elements before that were good.
    """
    text = bytearray()
    start = at = depth = wanted = number = 0
    for chunk in chain(chunks, (None,)):
        text += chunk or b""
        if chunk is not None and len(text) - at < wanted:
            continue
        while found := (_TO_BRACKET_OR_COMMA if depth == 1 else _TO_BRACKET).match(text, at):
            mark, at = text[found.end() - 1 : found.end()], found.end()
            if depth == 0:
                before = bytes(text[start : at - 1]).removeprefix(b"\xef\xbb\xbf")
                if mark != b"[" or number or before.strip():
                    raise WireError("the reply is not a list of jobs")
                start, depth, number = at, 1, 1
            elif depth > 1 or mark in b"[{":
                depth += 1 if mark in b"[{" else -1
            elif mark == b"}":
                break
            else:
                element = bytes(text[start : at - 1])
                if mark == b"," or number > 1 or element.strip():
                    yield element
                start, depth, number = at, int(mark == b","), number + 1
        if len(text) - start > LARGEST_ELEMENT:
            raise WireError(f"an element of the list is larger than {LARGEST_ELEMENT >> 20} MiB")
        # A long text is looked at a few times only, not with every chunk.
        wanted = 2 * (len(text) - at)
        del text[:start]
        at, start = at - start, 0
    if depth or not number or text.strip():
        raise WireError("the list of jobs is cut off or broken")
