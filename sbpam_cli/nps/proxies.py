"""Which proxy leads to the server: the command's environment, else the system's own setting."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from sbpam_cli.errors import UnreachableError, UsageError


def choose_proxy(environ: Mapping[str, str], origin: str, system: Any = None) -> str | None:
    """The proxy's URL for an `https://` origin, None for a direct connection.

    `HTTPS_PROXY`, else `ALL_PROXY`, lower case first, unless `NO_PROXY` names
    the host. Without either, the system's own on Windows and macOS, with its exceptions.
    system: by default `urllib.request`. Raises UsageError for one that cannot be used,
    without the password that its URL may hold.
    """
    # Lower case sorts last, and so wins.
    pairs = ((name.lower(), value.strip()) for name, value in sorted(environ.items()))
    given = {name: value for name, value in pairs if value}
    address = urlsplit(origin)
    host, port = address.hostname or "", address.port or 443
    proxy = given.get("https_proxy") or given.get("all_proxy")
    source = "HTTPS_PROXY or ALL_PROXY"
    if not proxy:
        proxy, source = _system_proxy(system, host), "the system's settings"
    if not proxy or _is_exempt(given.get("no_proxy", ""), host, port):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_usable(proxy):
        scheme = proxy.partition("://")[0].lower()
        why = None if scheme in ("http", "https") else f"{scheme[:20]}:// is not supported"
        hint = "write it like http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
        raise UsageError(f"the proxy in {source} cannot be used", reason=why, hint=hint)
    return proxy


def proxy_name(url: str) -> str:
    """`the proxy p.corp.example:3128`: for errors, without user and password."""
    return f"the proxy {urlsplit(url).netloc.rpartition('@')[2]}"


def explain_refusal(words: str, proxy: str) -> UnreachableError | None:
    """The error for a proxy's answer that it gives each time: asked again, it locks accounts."""
    if words.startswith("407 "):
        hint = "put them into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT"
        message = f"{proxy} asks for a user and a password, or refuses them"
        return UnreachableError(message, reason=words, hint=hint)
    if words.startswith("403 "):
        hint = "have it allow the server, or name the server in NO_PROXY"
        return UnreachableError(f"{proxy} does not allow this", reason=words, hint=hint)
    return None


def _is_usable(proxy: str) -> bool:
    try:
        url = urlsplit(proxy)
        # A password with a bare slash ends up in port and path.
        misread = "@" in url.path + url.query + url.fragment
        host = url.hostname or ""
        fine = host.isascii() and bool(host) and url.port != 0 and proxy.isprintable()
        return url.scheme in ("http", "https") and fine and not misread
    except ValueError:
        return False


def _system_proxy(system: Any, host: str) -> str | None:
    if system is None:
        import urllib.request as system
    for settings, bypass in (
        ("getproxies_registry", "proxy_bypass_registry"),
        ("getproxies_macosx_sysconf", "proxy_bypass_macosx_sysconf"),
    ):
        if hasattr(system, settings):
            proxy = getattr(system, settings)().get("https")
            return None if proxy and getattr(system, bypass)(host) else proxy
    return None


def _is_exempt(no_proxy: str, host: str, port: int) -> bool:
    """By the standard library's rules for names, and networks too."""
    import ipaddress
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    for entry in no_proxy.lower().split(","):
        name = entry.strip()
        with suppress(ValueError):
            if ipaddress.ip_address(host) in ipaddress.ip_network(name.strip("[]"), strict=False):
                return True
        if proxy_bypass_environment(there, {"no": name.removeprefix("*") or name}):
            return True
    return False
