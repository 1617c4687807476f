# wine's _locking() leaves errno 0 where Windows says EACCES ("Locking violation"): put that right.
import msvcrt as _m, errno as _e

_real = _m.locking


def _locking(fd, mode, count):
    try:
        return _real(fd, mode, count)
    except OSError as error:
        if error.errno:
            raise
        raise PermissionError(_e.EACCES, "Permission denied") from None


_m.locking = _locking
