"""What Windows alone asks for, straight from its libraries; nothing here is called elsewhere."""

import ctypes
import signal
import threading
from pathlib import Path
from typing import Any

_windows: Any = ctypes
"""With what is there on Windows alone."""
_DRIVE_REMOTE = 4
_UOI_FLAGS = 1
_WSF_VISIBLE = 1
_TOKEN_QUERY = 8
_TOKEN_USER = 1
_ERROR_ALREADY_EXISTS = 183
_ENDING = (2, 5, 6)
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT."""
_handlers: list[object] = []


def _library(name: str) -> Any:
    return _windows.WinDLL(name, use_last_error=True)


def is_console(descriptor: int) -> bool:
    """Whether this is a console: for `isatty` the device NUL is a terminal too."""
    import msvcrt

    library: Any = msvcrt
    handle = library.get_osfhandle(descriptor)
    mode = ctypes.c_ulong()
    found = _library("kernel32").GetConsoleMode(ctypes.c_void_p(handle), ctypes.byref(mode))
    return bool(found)


def is_desktop_visible() -> bool:
    """Whether somebody can see this session: a task's or a service's console is seen by nobody."""
    user = _library("user32")
    user.GetProcessWindowStation.restype = ctypes.c_void_p
    flags = (ctypes.c_ulong * 3)()
    station = ctypes.c_void_p(user.GetProcessWindowStation())
    size = ctypes.sizeof(flags)
    if not user.GetUserObjectInformationW(station, _UOI_FLAGS, flags, size, None):
        return True
    return bool(flags[2] & _WSF_VISIBLE)


def interrupt_on_console_close() -> None:
    """Makes a Ctrl-C of it when the window is closed or the user logs off."""

    def handle(event: int) -> int:
        if event in _ENDING:
            signal.raise_signal(signal.SIGINT)
            # In a thread of Windows' own: the process ends when it returns, or after 5 s.
            threading.Event().wait()
        return 0

    handler = _windows.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)(handle)
    _library("kernel32").SetConsoleCtrlHandler(handler, 1)
    # Windows keeps its address: it lives as long as the process.
    _handlers.append(handler)


def is_network_drive(folder: Path) -> bool:
    """Whether a folder lies on a share or on a drive that stands for one."""
    root = folder.anchor
    kind = _library("kernel32").GetDriveTypeW(ctypes.c_wchar_p(root))
    return root.startswith("\\\\") or kind == _DRIVE_REMOTE


def make_private_folder(path: Path) -> None:
    """A folder for this user, the system and administrators, also when started elevated.

    Python's `mkdir(mode=0o700)` names the owner, who is then the group of administrators: the
    user could not read the folder without elevation. Raises OSError.
    """
    security, kernel = _library("advapi32"), _library("kernel32")
    rights = "".join(f"(A;OICI;FA;;;{who})" for who in ("SY", "BA", _own_sid()))
    descriptor = ctypes.c_void_p()
    convert = security.ConvertStringSecurityDescriptorToSecurityDescriptorW
    _require(convert(ctypes.c_wchar_p(f"D:P{rights}"), 1, ctypes.byref(descriptor), None))
    try:
        attributes = (ctypes.c_void_p * 3)(ctypes.sizeof(ctypes.c_void_p) * 3, descriptor, None)
        made = kernel.CreateDirectoryW(ctypes.c_wchar_p(str(path)), attributes)
        _require(made or _windows.get_last_error() == _ERROR_ALREADY_EXISTS)
    finally:
        kernel.LocalFree(descriptor)


def _own_sid() -> str:
    security, kernel = _library("advapi32"), _library("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    token, needed, text = ctypes.c_void_p(), ctypes.c_ulong(), ctypes.c_wchar_p()
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    _require(security.OpenProcessToken(process, _TOKEN_QUERY, ctypes.byref(token)))
    try:
        user = (ctypes.c_void_p * 32)()
        size = ctypes.sizeof(user)
        read = security.GetTokenInformation
        _require(read(token, _TOKEN_USER, user, size, ctypes.byref(needed)))
        _require(security.ConvertSidToStringSidW(ctypes.c_void_p(user[0]), ctypes.byref(text)))
        sid = text.value or ""
        kernel.LocalFree(text)
        return sid
    finally:
        kernel.CloseHandle(token)


def _require(done: object) -> None:
    """Raises OSError, with what Windows says, if a call failed."""
    if not done:
        raise _windows.WinError(_windows.get_last_error())
