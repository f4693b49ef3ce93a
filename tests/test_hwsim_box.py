# SPDX-License-Identifier: Apache-2.0
"""What people bring runs in a box: it writes nowhere else, reaches nobody, and ends with us."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from process_samples import inside

from axhil.hwsim import HwsimError
from axhil.hwsim.models.cmodel import c_model_table
from axhil.hwsim.models.pymodel import python_model_table
from axhil.hwsim.multipliers.tabulating.tabulation import tabulate
from axhil.hwsim.operands import Asked
from axhil.hwsim.tools import box as box_module
from axhil.hwsim.tools.box import GUARANTEES, Box, means, missing
from axhil.hwsim.tools.process import OverLimitError, Process, run
from axhil.hwsim.verilog.circuit import read_circuit
from axhil.hwsim.verilog.reading import reading as reading_module

FOUR = Asked(width=2, signed=False)
SPEAKS = [sys.executable, "-I", "-S", "-c"]


def needs(*guarantees):
    """Skips where the platform does not give what is tested."""
    assert {*guarantees} <= GUARANTEES.keys()
    lacking = [what for what in guarantees if what in missing()]
    if lacking:
        pytest.skip(f"this platform does not let a program {' and '.join(lacking)}")


WRITE, NETWORK, SIGNAL, START, LEAVE, TAKE = GUARANTEES


@pytest.fixture
def folder(tmp_path):
    """The box's folder."""
    path = tmp_path / "box"
    path.mkdir()
    return path


@pytest.fixture
def outside(tmp_path):
    """A folder beside the box with a file that must stay as it is."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "kept").write_text("mine")
    (path / "kept").chmod(0o640)
    return path


def without(call):
    """How a process around a program starts on a platform that has no such call."""
    imported = "import box_process;"
    assert imported in box_module._START
    replaced = f"{imported} box_process.{call} = None.__getattribute__;"
    return box_module._START.replace(imported, replaced)


@pytest.fixture(params=["this platform", "no namespaces", "no Landlock"])
def platform(request, monkeypatch):
    """This platform, and ones that give less: the other means must do."""
    lost = {"no namespaces": "_namespaces", "no Landlock": "_landlock"}.get(request.param)
    if lost is not None:
        monkeypatch.setattr(box_module, "_START", without(lost))
    means.cache_clear()
    yield request.param
    monkeypatch.undo()
    means.cache_clear()


def unchanged(outside):
    assert [path.name for path in outside.iterdir()] == ["kept"]
    kept = outside / "kept"
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == ("mine", 0o640)


# Each tries to leave the box in one way; what it raises is printed.
WRITES = {
    "a new file": "open(out + '/new', 'w')",
    "an old file": "open(out + '/kept', 'a').write('x')",
    "a cut file": "os.truncate(out + '/kept', 0)",
    "a folder": "os.mkdir(out + '/new')",
    "a removed file": "os.unlink(out + '/kept')",
    "a file moved out": "open('m', 'w').close(), os.rename('m', out + '/new')",
    "a file moved in": "os.rename(out + '/kept', 'kept')",
    "a link out, followed": "os.symlink(out + '/kept', 'l'), open('l', 'a').write('x')",
    "a hard link in": "os.link(out + '/kept', 'h'), open('h', 'a').write('x')",
    "a special file": "os.mkfifo(out + '/new')",
    "our memory": f"open('/proc/{os.getpid()}/mem', 'r+b')",
    "shared memory": "open('/dev/shm/axhil_test_marker', 'w')",
}
NETWORKS = {
    "a connection": "socket.create_connection(('127.0.0.1', port), 5)",
    "a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    "a local socket": "socket.socket(socket.AF_UNIX).connect(out + '/../socket')",
}
SIGNALS = {
    "us": f"os.kill({os.getpid()}, 0)",
    # The first process of a namespace is sent such a signal and does not get it.
    "its parent": "os.kill(os.getppid() if os.getppid() > 1 else 10**8, signal.SIGKILL)",
}
STARTS = {
    "a fork": "os.fork() or os._exit(0)",
    "another program": "os.posix_spawn('/bin/true', ['true'], {})",
}


def tried(ways, *, folder, outside, port=0):
    """Ways that did not raise."""
    code = (
        "import json, os, signal, socket, sys\nout, port, ways = json.loads(sys.argv[1])\n"
        "done = []\nfor name, way in ways.items():\n"
        "    try: exec(way)\n    except OSError: pass\n    else: done.append(name)\n"
        "print(json.dumps(done))"
    )
    given = json.dumps([str(outside), port, ways])
    done = run([*SPEAKS, code, given], box=Box(folder), seconds=60)
    assert done.code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_program_writes_nowhere_else(platform, folder, outside):
    needs(WRITE)
    assert tried(WRITES, folder=folder, outside=outside) == []
    unchanged(outside)
    assert not Path("/dev/shm/axhil_test_marker").exists()


def test_a_program_changes_no_permission_outside(folder, outside):
    if "read-only" not in means():
        pytest.skip("this platform has no read-only mounts for a program")
    changes = {"mode": "os.chmod(out + '/kept', 0o777)", "time": "os.utime(out + '/kept', (1, 1))"}
    assert tried(changes, folder=folder, outside=outside) == []
    unchanged(outside)


def test_a_program_reaches_nobody(platform, folder, outside):
    needs(NETWORK, SIGNAL, START)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(str(folder.parent / "socket"))
        local.listen()
        ways = {**NETWORKS, **SIGNALS, **STARTS}
        port = server.getsockname()[1]
        assert tried(ways, folder=folder, outside=outside, port=port) == []


def test_what_was_tried_in_vain_can_be_done_without_a_box(tmp_path, outside):
    """Or the tests above would not try anything."""
    ways = {**WRITES, **NETWORKS, **SIGNALS, **STARTS}
    ways = {key: way.replace("SIGKILL", "SIGCONT") for key, way in ways.items()}
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        local.bind(str(tmp_path / "socket"))
        local.listen()
        port, failed = server.getsockname()[1], []
        for name, way in ways.items():
            code = f"import os, signal, socket, sys\nout, port = {str(outside)!r}, {port}\n{way}\n"
            (outside / "new").unlink(missing_ok=True)
            (outside / "kept").write_text("mine")
            process = subprocess.run(
                [*SPEAKS, code], cwd=tmp_path, check=False, capture_output=True
            )
            if process.returncode:
                failed.append(name)
            for path in (outside / "new", tmp_path / "kept"):
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    Path("/dev/shm/axhil_test_marker").unlink(missing_ok=True)
    assert failed == []


def test_a_box_has_limits(folder):
    needs(TAKE)
    eater = [*SPEAKS, "bytearray(2**31)"]
    assert "MemoryError" in run(eater, box=Box(folder, memory=1 << 30)).stderr
    writer = [*SPEAKS, "open('much', 'wb').write(bytes(2**21))"]
    assert "File too large" in run(writer, box=Box(folder, file=1 << 20)).stderr
    assert (folder / "much").stat().st_size == 1 << 20
    with pytest.raises(OverLimitError):
        run(["sh", "-c", "while :; do :; done"], box=Box(folder, seconds=1), seconds=100)
    assert run(["sh", "-c", "exit 7"], box=Box(folder, seconds=1)).code == 7


def test_a_flood_is_cut_in_the_middle(folder):
    flood = "print('first'); print('x' * 80 * 100_000); print('last')"
    text = run([*SPEAKS, flood], box=Box(folder)).stdout
    assert text.startswith("first\nxxx")
    assert text.endswith("xxx\nlast\n")
    assert 2**21 <= len(text) < 2**21 + 100
    limited = run([*SPEAKS, flood], box=Box(folder, file=1 << 20)).stdout
    assert len(limited) <= 1 << 20


def test_a_program_ends_as_it_would_outside(folder):
    ends = {"exit 0": 0, "exit 125": 125, "kill -ABRT $$": -signal.SIGABRT, "kill -9 $$": -9}
    for script, code in ends.items():
        assert run(["sh", "-c", script], box=Box(folder)).code == code
    with pytest.raises(FileNotFoundError):
        run(["no-such-program"], box=Box(folder))


def test_a_box_that_cannot_be_made_is_one_sentence_and_starts_nothing(folder, monkeypatch):
    if "landlock" not in means():
        pytest.skip("this platform has no Landlock to lose")
    monkeypatch.setattr(box_module, "_START", without("_landlock"))
    with pytest.raises(OSError, match=r"^expected to confine a program: no landlock"):
        run(["touch", "started"], box=Box(folder))
    assert list(folder.iterdir()) == []


# A program that leaves its process group, has lost its parent, and does not want to end.
STUBBORN = textwrap.dedent(
    """
    import os, signal, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            open('there', 'w').close()
            while True: time.sleep(100)
        os._exit(0)
    time.sleep(100)
    """
)


def there(folder):
    until = time.monotonic() + 30
    while not (folder / "there").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("how", ["kill", "killed"])
def test_whatever_a_program_started_ends_with_it(how, platform, folder):
    if how == "kill":  # by us
        with Process([*SPEAKS, STUBBORN], box=Box(folder, starts=True)):
            there(folder)
    else:  # with us
        code = (
            "import sys; from pathlib import Path; from axhil.hwsim.tools import box\n"
            "from axhil.hwsim.tools.box import Box; from axhil.hwsim.tools.process import run\n"
            "box._START = sys.argv[1]\n"
            "run(sys.argv[3:], box=Box(Path(sys.argv[2]), starts=True))\n"
        )
        arguments = [box_module._START, str(folder), *SPEAKS, STUBBORN]
        with subprocess.Popen([sys.executable, "-c", code, *arguments]) as process:
            there(folder)
            process.kill()
    until = time.monotonic() + 2
    while inside(folder) and time.monotonic() < until:
        time.sleep(0.02)
    assert inside(folder) == []


# --- Verilog, with and without what reads it first -----------------------------------------------

HOSTILE = """
module mine(input [1:0] a, b, output [3:0] p);
  assign p = a * b;
  reg [7:0] m [0:1]; integer f;
  initial begin
    m[0] = 1; m[1] = 2;
    $writememh("{out}/writememh", m);
    f = $fopen("{out}/fopen"); if (f) $fdisplay(f, "x");
    f = $fopen("{out}/kept", "a"); if (f) $fdisplay(f, "x");
    $system("touch {out}/system");
    $system("kill -9 $PPID; kill -9 {pid}");
    f = $fopen("inside"); $fdisplay(f, "x"); $fflush(f);
    $dumpfile("{out}/dump"); $dumpvars; $dumpflush;
  end
endmodule
"""


@pytest.mark.sim
@pytest.mark.parametrize("judged", [True, False], ids=["judged", "not judged"])
def test_a_hostile_verilog_file_leaves_no_marker(judged, outside, tmp_path, monkeypatch):
    needs(WRITE, SIGNAL)
    source = tmp_path / "mine.v"
    with Process(["sleep", "100"]) as victim:
        source.write_text(HOSTILE.format(out=outside, pid=victim.pid))
        if judged:
            with pytest.raises(HwsimError, match=r"^mine\.v: \$writememh is refused before"):
                read_circuit([source], asked=FOUR)
        else:
            monkeypatch.setattr(reading_module, "check_tasks", lambda *_, **__: None)
            # The dump file, which cannot be opened, ends the simulation.
            with pytest.raises(HwsimError, match=r"the simulation"):
                tabulate(read_circuit([source], asked=FOUR))
        assert victim.running
    unchanged(outside)


# --- C and Python models -------------------------------------------------------------------------

C_MODEL = """
#include <stdio.h>
#include <signal.h>
#include <unistd.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
__attribute__((constructor)) void before(void) {{ {code} }}
int mine(int a, int b) {{ return a * b; }}
"""
C_ATTACKS = {
    "writes a file": 'FILE *f = fopen("{out}/new", "w"); if (f) fputs("x", f);',
    "runs a command": 'if (system("touch {out}/new")) {{}}',
    "kills its parent": "kill(getppid(), SIGKILL);",
    "kills all": "kill(-1, SIGKILL);",
    "opens a socket": 'if (socket(AF_INET, SOCK_STREAM, 0) >= 0) mkdir("{out}/new", 0777);',
    "prints without an end": 'for (int i = 0; i < 4000000; i++) puts("0123456789");',
}
C_LIES = {
    "a long file": ("atexit(after);", 'FILE *f = fopen("out", "ab"); fputs("more", f); fclose(f);'),
    "a short file": ("atexit(after);", 'if (truncate("out", 60)) {}'),
    "types of no kind": (
        "atexit(after);",
        'FILE *f = fopen("out", "r+b"); long w[6] = {1L << 62, 9, 9, 9}; fwrite(w, 8, 6, f);',
    ),
    "a pipe": ("", 'if (remove("out") || mkfifo("out", 0600)) {}'),
    "a device": ("", 'if (remove("out") || symlink("/dev/zero", "out")) {}'),
}


def c_model(tmp_path, code, *, after=""):
    path = tmp_path / "mine.c"
    text = C_MODEL.format(code=code)
    path.write_text(
        text.replace("__attribute__", f"static void after(void) {{ {after} }}\n__attribute__", 1)
    )
    return path


@pytest.mark.parametrize("attack", C_ATTACKS.values(), ids=C_ATTACKS)
def test_a_hostile_c_model_leaves_no_marker_and_its_parent_alive(attack, outside, tmp_path):
    needs(WRITE, NETWORK, SIGNAL)
    path = c_model(tmp_path, attack.format(out=outside))
    try:
        lut, _ = c_model_table(path, asked=FOUR)
    except HwsimError as error:
        assert "\n" not in str(error)
    else:
        assert lut.table.tolist() == [[a * b for b in range(4)] for a in range(4)]
    unchanged(outside)


@pytest.mark.parametrize(("before", "after"), C_LIES.values(), ids=C_LIES)
def test_what_a_c_model_writes_is_read_as_hostile(before, after, tmp_path):
    path = c_model(tmp_path, "atexit(after);", after=after)
    with pytest.raises(
        HwsimError, match=r"^[^\n]*mine[^\n]*(writes to the file|ended the program)"
    ):
        c_model_table(path, asked=FOUR)


PYTHON_ATTACKS = {
    "writes a file": "open('{out}/new', 'w')",
    "runs a command": "import os; os.system('touch {out}/new')",
    "kills its parent": "import os; os.kill(os.getppid(), 9)",
    "kills us": "import os; os.kill({pid}, 9)",
    "opens a socket": "import socket; socket.socket(); open('{out}/new', 'w')",
    "traces us": "import ctypes; assert ctypes.CDLL(None).ptrace(16, {pid}, 0, 0) == 0",
    "prints without an end": "import sys\nfor _ in range(100): sys.stderr.write('x' * 2**20)",
}
PYTHON_LIES = {
    "a long file": ("with open(out, 'wb') as f: f.write(bytes(68))", "writes to the file of its"),
    "a short file": (
        "with open(out, 'wb') as f: f.write(bytes(60))",
        "64 bytes of products, got 60",
    ),
    "a pickle": ("import pickle; pickle.dump(print, open(out, 'wb'))", "got|writes to the file"),
    "a pipe": ("os.mkfifo(out)", "writes to the file of its products"),
    "a device": ("os.symlink('/dev/zero', out)", "writes to the file of its products"),
    "a hole of a terabyte": ("f = open(out, 'wb'); f.truncate(2**40)", "cannot import it|writes"),
    "nothing": ("", "it ended Python"),
}
PYTHON_PRODUCTS = {
    "NaN": "float('nan')",
    "an array of another type": "__import__('numpy').full(16, 1 + 2j)",
    "an object": "object()",
    "a long number": "10**5000",
    "a string": "'1'",
}


def python_model(tmp_path, before="", product="a * b"):
    path = tmp_path / "mine.py"
    path.write_text(
        f"import os, sys\nout = sys.argv[-1]\n{before}\ndef mul(a, b): return {product}\n"
    )
    return f"{path}:mul"


@pytest.mark.parametrize("attack", PYTHON_ATTACKS.values(), ids=PYTHON_ATTACKS)
def test_a_hostile_python_model_leaves_no_marker_and_its_parent_alive(attack, outside, tmp_path):
    needs(WRITE, NETWORK, SIGNAL, START)
    spec = python_model(tmp_path, attack.format(out=outside, pid=os.getpid()))
    try:
        lut = python_model_table(spec, asked=FOUR)
    except HwsimError as error:
        assert "\n" not in str(error)
    else:
        assert lut.table.tolist() == [[a * b for b in range(4)] for a in range(4)]
    unchanged(outside)


@pytest.mark.parametrize(("lie", "sentence"), PYTHON_LIES.values(), ids=PYTHON_LIES)
def test_what_a_python_model_writes_is_read_as_hostile(lie, sentence, tmp_path):
    spec = python_model(tmp_path, f"{lie}\nos._exit(0)")
    with pytest.raises(HwsimError, match=rf"^[^\n]*mine\.py:mul[^\n]*({sentence})"):
        python_model_table(spec, asked=FOUR)


@pytest.mark.parametrize("product", PYTHON_PRODUCTS.values(), ids=PYTHON_PRODUCTS)
def test_what_a_python_model_returns_is_read_as_hostile(product, tmp_path):
    spec = python_model(tmp_path, product=product)
    with pytest.raises(HwsimError, match=r"^[^\n]*mine\.py:mul: 0 x 0 is [^\n]*32-bit integer$"):
        python_model_table(spec, asked=FOUR)
