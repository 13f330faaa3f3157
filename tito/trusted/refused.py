"""Inside the box: the system calls that no answer needs, refused with EPERM by a seccomp filter.

They are what has let programs out of namespaces before: others' memory, new namespaces and mounts, kernel code, keys.
Numbers from Linux' <asm/unistd_64.h> and <asm-generic/unistd.h>, the filter's language from <linux/filter.h>.
"""

import ctypes
import os
import platform
import struct

# name: number on x86-64, on ARM64
CALLS = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setns": (308, 268),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
CLONE, CLONE3 = (56, 220), 435
NEW_SPACES = 0x7E020000  # of clone's flags: mounts, cgroups, host names, IPC, users, processes, network
# <linux/audit.h>; x86-64's numbers of 32-bit pointers begin at X32
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
X32 = 0x40000000
NUMBER, MACHINE, FIRST_ARGUMENT = 0, 4, 16  # where <linux/seccomp.h> has them
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, END = 0x7FFF0000, 0x00050000, 0x80000000  # a number added to REFUSE is the error
EPERM, ENOSYS = 1, 38
PR_SET_SECCOMP, FILTER = 22, 2  # <linux/prctl.h>


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse(libc: ctypes.CDLL) -> None:
    """Refuse the calls from now on, here and in all children; the process must have no way to new privileges.

    Raises:
        OSError: the system takes no filter.
    """
    if platform.machine() not in MACHINES:
        return
    text = _filter(*MACHINES[platform.machine()])
    program = _Program(len(text) // 8, text)
    if libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _filter(column: int, machine: int) -> bytes:
    """The program: each step is a code, how far to jump when it holds and when not, and a number."""
    steps = [
        (LOAD, 0, 0, MACHINE),
        (EQUAL, 1, 0, machine),
        (RETURN, 0, 0, END),
        (LOAD, 0, 0, NUMBER),
        (AT_LEAST, 0, 1, X32),
        (RETURN, 0, 0, REFUSE + EPERM),
        (EQUAL, 0, 1, CLONE3),  # its flags cannot be seen from here; without it everyone takes clone
        (RETURN, 0, 0, REFUSE + ENOSYS),
    ]
    for numbers in CALLS.values():
        steps += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, REFUSE + EPERM)]
    steps += [
        (EQUAL, 0, 3, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (ANY_BIT, 0, 1, NEW_SPACES),
        (RETURN, 0, 0, REFUSE + EPERM),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)
