"""Which proxy leads to the server: the environment's variables, by httpx's rules.

httpx itself would read the process's environment; here it is the command's.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit


def choose_proxy(environ: Mapping[str, str], origin: str) -> str | None:
    """The proxy's URL for an `https://` origin, None for a direct connection.

    `HTTPS_PROXY`, else `ALL_PROXY`, lower case first, unless `NO_PROXY` names
    the host. Without either, the system's own setting on Windows and macOS.
    """
    given = {
        name.lower(): value
        # Lower case sorts last, and so wins.
        for name, value in sorted(environ.items())
        if name.lower() in ("https_proxy", "all_proxy", "no_proxy") and value
    }
    proxy = given.get("https_proxy") or given.get("all_proxy") or _system_proxy()
    address = urlsplit(origin)
    entries = given.get("no_proxy", "").split(",")
    if not proxy or any(
        _names(entry.strip().lower(), address.hostname or "", address.port or 443)
        for entry in entries
    ):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _system_proxy() -> str | None:
    import urllib.request

    for source in ("getproxies_registry", "getproxies_macosx_sysconf"):
        if (read := getattr(urllib.request, source, None)) is not None:
            return dict(read()).get("https")
    return None


def _names(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` is about that host.

    `*`, a domain with all below it, `.domain` for those below alone, an
    address, a network; each with a port or without.
    """
    import ipaddress

    if entry == "*":
        return True
    scheme, _, entry = entry.rpartition("://")
    if not entry or scheme not in ("", "all", "https"):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, colon, entry_port = entry.rpartition(":")
    if colon and entry_port.isdecimal():
        return int(entry_port) == port and _names(name, host, port)
    name = entry.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}")
