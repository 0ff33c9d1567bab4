"""A label printer as a device file (/dev/usb/lp0, better a udev link by serial number)."""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from print_agent.drivers.base import AddressError
from print_agent.drivers.line import Channel


class DeviceChannel:
    """An open device file. The kernel sends in the background: a failed write proves nothing."""

    exact = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def read(self, most: int) -> bytes:
        if data := os.read(self._descriptor, most):
            return data
        raise BlockingIOError(errno.EAGAIN, "nothing yet")  # a device file has no end

    def write(self, data: bytes) -> int:
        return os.write(self._descriptor, data)

    def guard(self) -> None:
        """What the kernel has taken cannot be called back."""

    def finish(self) -> bool:
        return False

    def unsent(self) -> int:
        return 0  # usblp does not say

    def close(self) -> None:
        os.close(self._descriptor)


def device_address(address: str) -> str:
    """A path below /dev. Errors: AddressError."""
    path = os.path.normpath(address)
    if not path.startswith("/dev/"):
        raise AddressError(f"`{address}` is no device file: expected a path below /dev.")
    return path


async def dial_device(address: str) -> Channel:
    """Open for this process alone. Errors: OSError when missing, in use or no device."""
    path = device_address(address)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENODEV, "this is no device file", path)
        # Two programs on one device file would mix their bytes.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise OSError(errno.EBUSY, "another program uses this device", path) from None
    except BaseException:
        os.close(descriptor)
        raise
    return DeviceChannel(descriptor)
