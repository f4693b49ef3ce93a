# SPDX-License-Identifier: Apache-2.0
"""The process between us and a program in a box: confines the program, waits, ends all of it.

It starts before every program, so it imports nothing of this package and little else. What the
platform does not give is left out; a program that must not run without it is not started.

    us -> this process -> the first process of a new process namespace -> the program

When we end, however that happens, this process sees that it has another parent and ends; when it
ends, the kernel ends the first process of the namespace, and with it whatever is in there. Without
namespaces it adopts what loses its parent, and ends it all one by one.
"""

import ctypes
import errno
import os
import resource
import signal
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSED = 125
"""Exit code of a program that was not started; a sentence is on stderr."""
NO_BOX = "expected to confine a program"
"""How that sentence begins."""

_POLL = 0.2  # seconds between looks at whether our parent lives
_ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_NEW_USER = 0x10000000
_NEW_MOUNTS, _NEW_IPC, _NEW_PIDS, _NEW_NETWORK = 0x00020000, 0x08000000, 0x20000000, 0x40000000
_NAMESPACES = _NEW_MOUNTS | _NEW_IPC | _NEW_PIDS | _NEW_NETWORK
_KEPT_CAPABILITIES = {1, 2}  # of root: to read files of others, as outside

# System calls that have one number everywhere.
_MOUNT_SETATTR, _IO_URING_SETUP, _CLONE3 = 442, 425, 435
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
# By machine: its number for the audit, socket, clone, and older calls that start a process.
_MACHINES = {
    "x86_64": (0xC000003E, 41, 56, (57, 58)),
    "aarch64": (0xC00000B7, 198, 220, ()),
}

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def _call(number: int, *arguments: object) -> int:
    words = [ctypes.c_long(x) if isinstance(x, int) else x for x in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def _prctl(option: int, *arguments: object) -> set[str]:
    padded = (*arguments, *[0] * (4 - len(arguments)))
    words = [ctypes.c_ulong(x) if isinstance(x, int) else x for x in padded]
    _checked(_libc.prctl(option, *words))
    return set()


def _namespaces(folder: str) -> set[str]:
    """Processes, network and mounts of its own for all that is started from now on."""
    user, group = os.geteuid(), os.getegid()
    try:
        # As root without a user namespace: files of other users stay readable.
        _checked(_libc.unshare(_NAMESPACES if user == 0 else _NAMESPACES | _NEW_USER))
    except OSError:
        if user != 0:
            raise
        _checked(_libc.unshare(_NAMESPACES | _NEW_USER))
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, text in maps.items():
        _attempt(_write, f"/proc/self/{name}", text)  # without a user namespace they are there
    return {"namespaces"} | _attempt(_read_only, folder)


def _write(path: str, text: str) -> set[str]:
    handle = os.open(path, os.O_WRONLY)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
    return set()


def _read_only(folder: str) -> set[str]:
    """Every mount but the folder, which becomes one."""
    path, private, bind = os.fsencode(folder), 0x44000, 0x1000
    _checked(_libc.mount(None, b"/", None, ctypes.c_ulong(private), None))
    _checked(_libc.mount(path, path, None, ctypes.c_ulong(bind), None))
    for where, on, off, recursive in ((b"/", 1, 0, 0x8000), (path, 0, 1, 0)):
        attributes = ctypes.create_string_buffer(struct.pack("QQQQ", on, off, 0, 0), 32)
        _call(_MOUNT_SETATTR, -100, where, recursive, attributes, 32)
    return {"read-only"}


def _landlock(folder: str) -> set[str]:
    """No write, signal or connection to what is outside; reading is free."""
    version = _call(_LANDLOCK_CREATE, None, 0, 1)
    writes = sum(1 << bit for bit in (1, *range(4, 13)))
    writes |= (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    rules = struct.pack("QQQ", writes, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(_LANDLOCK_CREATE, ctypes.create_string_buffer(rules, 24), size, 0)
    allowed = {folder: writes, "/dev/null": writes & (1 << 1 | 1 << 14 | 1 << 15)}
    for path, access in allowed.items():
        handle = os.open(path, os.O_PATH)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", access, handle), 12)
        _call(_LANDLOCK_ADD, ruleset, 1, rule, 0)
    _call(_LANDLOCK_RESTRICT, ruleset, 0)
    return {"landlock", "signals"} if version >= 6 else {"landlock"}


def _seccomp(*, starts: bool) -> set[str]:
    """No socket, and no process beside itself unless it may start some; threads are free."""
    audit, socket, clone, forks = _MACHINES[os.uname().machine]
    allow, refuse = 0x7FFF0000, 0x00050000
    no = (0x06, 0, 0, refuse | errno.EPERM)
    code = [(0x20, 0, 0, 4), (0x15, 1, 0, audit), no, (0x20, 0, 0, 0)]
    code += [(0x35, 0, 1, 0x40000000), no]  # calls by another convention
    for number in (socket, _IO_URING_SETUP, *(() if starts else forks)):
        code += [(0x15, 0, 1, number), no]
    if not starts:
        # The flags of clone3 are out of reach: libraries take clone where it is not there.
        code += [(0x15, 0, 1, _CLONE3), (0x06, 0, 0, refuse | errno.ENOSYS)]
        code += [(0x15, 0, 3, clone), (0x20, 0, 0, 16), (0x45, 1, 0, 0x10000), no]
    code += [(0x06, 0, 0, allow)]
    text = b"".join(struct.pack("HBBI", *line) for line in code)
    lines = ctypes.create_string_buffer(text, len(text))
    program = ctypes.create_string_buffer(struct.pack("HP", len(code), ctypes.addressof(lines)), 16)
    _prctl(_PR_SET_SECCOMP, 2, program)
    return {"sockets"} if starts else {"sockets", "processes"}


def _privileges() -> set[str]:
    """None that a program could gain; root keeps the reading of other users' files."""
    for capability in {*range(64)} - _KEPT_CAPABILITIES:
        _attempt(_prctl, _PR_CAPBSET_DROP, capability)
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _attempt(confine: "Any", *arguments: object, **options: object) -> set[str]:
    """What a confinement gives: nothing where it is not allowed, or no call of this platform."""
    try:
        given: set[str] = confine(*arguments, **options)
    except (OSError, AttributeError, KeyError):
        return set()
    return given


def _run(options: list[str], command: list[str], given: set[str]) -> None:
    """Confines this process and becomes the program."""
    folder, starts, memory, size, seconds, needed = options
    _attempt(_prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)
    os.chdir(folder)
    for what, limit in (
        (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, size), (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, "0"),
    ):  # fmt: skip
        if limit:
            hard = resource.getrlimit(what)[1]
            value = int(limit) if hard == resource.RLIM_INFINITY else min(int(limit), hard)
            resource.setrlimit(what, (value, value))
    _attempt(_privileges)
    given |= _attempt(_landlock, folder) | _attempt(_seccomp, starts=starts == "1")
    if not command:
        sys.stdout.write(" ".join(sorted(given)))
        sys.stdout.flush()
        os._exit(0)
    if missing := {*needed.split()} - given:
        raise OSError(f"no {', '.join(sorted(missing))} this time")
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.execvp(command[0], command)


def _wait(program: int, parent: int) -> int:
    """The status of a child that has ended, or a kill because of whoever waits for it."""
    while os.getppid() == parent:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == program:
            return status
        if pid == 0:
            came = signal.sigtimedwait({signal.SIGCHLD, *_ENDS}, _POLL)
            if came is not None and came.si_signo != signal.SIGCHLD:
                break
    return signal.SIGKILL


def _first(options: list[str], command: list[str], given: set[str], told: int) -> None:
    """The first process of a namespace: the signals that it sends itself would be ignored."""
    _attempt(_prctl, _PR_SET_PDEATHSIG, signal.SIGKILL)
    program = os.fork()
    if program == 0:
        os.close(told)
        _run(options, command, given)
    os.write(told, struct.pack("i", _wait(program, os.getppid())))


def _end_children() -> None:
    """Ends all that this process started or adopted, and what those started."""
    try:
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for name in os.listdir("/proc"):  # noqa: PTH208  (pathlib costs 5 ms)
                    if name.isdigit() and _parent(name) == os.getpid():
                        os.kill(int(name), signal.SIGKILL)
                os.waitpid(-1, 0)
    except ChildProcessError:
        return


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  (likewise)
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:  # it has just ended
        return 0


def main(arguments: list[str]) -> int:
    """Runs a program in a box; ends as it ends.

    Args:
        arguments: our process; folder; 1 where it may start processes; bytes of memory, of a file
            and seconds of processor time, or nothing; what it must not run without; the program
            and its arguments, or nothing, to print what the platform gives.
    """
    parent, options, command = int(arguments[0]), arguments[1:7], arguments[7:]
    given = {"limits"}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, *_ENDS})
    _attempt(_prctl, _PR_SET_CHILD_SUBREAPER, 1)
    given |= _attempt(_namespaces, options[0])
    read, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            _first(options, command, given, told)
        except BaseException as error:
            sys.stderr.write(f"{NO_BOX}: {error}\n")
            sys.stderr.flush()
            os._exit(REFUSED)
        os._exit(0)
    os.close(told)
    ended = _wait(child, parent)
    _end_children()
    words = os.read(read, 4)
    # A first process that said nothing did not come to start the program, or was killed.
    status = struct.unpack("i", words)[0] if len(words) == 4 else ended
    if os.WIFSIGNALED(status):  # then so do we
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)
