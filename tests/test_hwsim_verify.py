# SPDX-License-Identifier: Apache-2.0
"""From Verilog to tables and back: extraction, the golden tables, the regression gate."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from axhil.hwsim import (
    PAPER_MULTIPLIERS,
    Catalogued,
    HwsimError,
    Lut,
    Operand,
    Operands,
    compare,
    error_metrics,
    extract,
    golden,
    verify,
)
from axhil.hwsim.designs.sources import rtl_dir, sha256
from axhil.hwsim.multipliers.catalogued import GOLDEN_DIR

PAPER = pytest.mark.parametrize("multiplier", PAPER_MULTIPLIERS, ids=str)


@PAPER
def test_a_golden_table_equals_the_reference(multiplier):
    lut = golden(multiplier)
    assert (lut.operands.code, lut.name) == ("s8", str(multiplier))
    np.testing.assert_array_equal(lut.table, multiplier.reference_table())


@PAPER
def test_a_golden_manifest_is_complete_and_of_todays_verilog(multiplier):
    manifest = golden(multiplier).manifest
    assert manifest["format_version"] == 1
    assert manifest["top"] == "mul_signed"
    assert manifest["parameters"]["CORE"] == multiplier.family
    assert manifest["parameters"]["WIDTH"] == manifest["width"] == 8
    assert manifest["operands"] == {"a_i": "activation", "b_i": "weight"}
    assert manifest["product"] == "p_o"
    files = {f"{module}.v" for module in ("mul_signed", *multiplier.design.modules)}
    assert manifest["sources"] == {name: sha256(rtl_dir() / name) for name in files}
    assert manifest["simulator"]["name"] == "Icarus Verilog"
    assert manifest["simulator"]["version"]
    assert manifest["cocotb"]
    assert manifest["metrics"] == error_metrics(golden(multiplier)).as_dict()


def test_there_are_exactly_the_papers_golden_tables():
    expected = {f"{multiplier.slug}.npz" for multiplier in PAPER_MULTIPLIERS}
    assert {path.name for path in GOLDEN_DIR.iterdir()} == expected


def test_a_golden_table_that_is_not_there_names_the_ones_that_are():
    with pytest.raises(HwsimError, match=r"no golden table of drum\(5\) .*exact, drum\(3\)"):
        golden(Catalogued.parse("drum(5)"))


def test_a_golden_table_under_anothers_name_is_refused(tmp_path):
    shutil.copy(GOLDEN_DIR / "drum_3.npz", tmp_path / "drum_4.npz")
    with pytest.raises(HwsimError, match=r"expected the table of drum\(4\) .* of drum\(3\)"):
        golden(Catalogued.parse("drum(4)"), folder=tmp_path)


@pytest.mark.sim
def test_simulating_again_gives_the_golden_files_byte_for_byte(tmp_path):
    seen = []
    tables = extract(PAPER_MULTIPLIERS, progress=lambda m, done, total: seen.append((done, total)))
    assert list(tables) == list(PAPER_MULTIPLIERS)
    assert seen == [(i + 1, 7) for i in range(7)]
    for multiplier, lut in tables.items():
        committed = golden(multiplier)
        assert compare(committed, lut).equal
        versions = [t.manifest["simulator"] | {"cocotb": t.manifest["cocotb"]}
                    for t in (committed, lut)]  # fmt: skip
        if versions[0] == versions[1]:
            lut.save(tmp_path / "again.npz")
            committed.save(tmp_path / "committed.npz")
            again = (tmp_path / "again.npz").read_bytes()
            assert again == (tmp_path / "committed.npz").read_bytes()


def edited_rtl(tmp_path, file, old, new):
    folder = tmp_path / "rtl"
    shutil.copytree(rtl_dir(), folder, dirs_exist_ok=True)
    text = (folder / file).read_text()
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new))
    return folder


@pytest.mark.sim
def test_an_edit_of_the_forced_1_is_found_in_both_drum_tables_only(tmp_path):
    rtl = edited_rtl(tmp_path, "mul_drum.v", "kept[0] = 1'b1", "kept[0] = 1'b0")
    wanted = [Catalogued.parse(s, rtl=rtl) for s in ("exact", "drum(3)", "drum(4)")]
    exact, *drums = verify(wanted)
    assert exact.equal
    assert exact.notes == ()

    def truncated(x, k):
        cut = max(x.bit_length() - k, 0)
        return x if cut == 0 else (x >> cut & ~1) << cut

    for report, k in zip(drums, (3, 4), strict=True):
        values = golden(Catalogued.parse(f"drum({k})")).weight.values
        segments = np.array([truncated(abs(int(v)), k) for v in values]) * np.sign(values)
        broken = np.multiply.outer(segments, segments)
        expected = golden(Catalogued.parse(f"drum({k})")).table
        assert not report.equal
        assert not report.swapped
        assert report.count == (broken != expected).sum()
        assert sum(report.quadrants.values()) == report.count
        a, b = 1, 2**k
        assert (report.first[0].a, report.first[0].b) == (a, b)
        assert report.first[0].actual == 2**k
        assert report.first[0].expected == 2**k + 2
        assert f"drum({k}): {report.count:,} of 65,536 entries differ" in report.sentence()
        assert f"first 1 x {b} = {2**k}, golden {2**k + 2}" in report.sentence()
        assert "sources changed since the golden table was made: mul_drum.v" in report.notes


@pytest.mark.sim
def test_a_comment_in_the_verilog_is_a_note_and_no_failure(tmp_path):
    rtl = edited_rtl(tmp_path, "mul_exact.v", "// Exact multiplier", "// The exact multiplier")
    (report,) = verify([Catalogued("exact", rtl=rtl)])
    assert report.equal
    assert "mul_exact.v" in report.notes[0]


@pytest.mark.sim
def test_an_edit_that_does_not_compile_is_one_sentence(tmp_path):
    rtl = edited_rtl(tmp_path, "mul_drum.v", "kept[0] = 1'b1", "kept[0 = 1'b1")
    sentence = r"^drum\(3\): the Verilog does not compile: .*mul_drum\.v:\d+: syntax error$"
    with pytest.raises(HwsimError, match=sentence):
        verify([Catalogued("drum", (3,), rtl=rtl)])


def lut_with(table, **manifest):
    return Lut(table, *Operands.parse("s4"), manifest={"multiplier": "drum(3)", **manifest})


def small_table():
    return Catalogued("drum", (3,), Operand(4, signed=True)).reference_table()


def test_compare_finds_one_changed_entry():
    table = small_table()
    table[3, 14] += 5
    report = compare(lut_with(small_table()), lut_with(table))
    assert (report.equal, report.swapped, report.count, report.total) == (False, False, 1, 256)
    (difference,) = report.first
    assert difference == report.worst
    assert (difference.a, difference.b, difference.expected) == (3, -2, -6)
    assert difference.actual == -1
    assert report.quadrants == {"a>=0 b<0": 1}
    assert report.sentence() == (
        "drum(3): 1 of 256 entries differ from the golden table (a>=0 b<0: 1); "
        "first 3 x -2 = -1, golden -6; worst 3 x -2 = -1, golden -6"
    )


def test_compare_shows_the_worst_and_the_first_five():
    table = small_table()
    table[2, :8] += 1
    table[9, 9] -= 100
    report = compare(lut_with(small_table()), lut_with(table))
    assert report.count == 9
    assert [(d.a, d.b) for d in report.first] == [(2, b) for b in range(5)]
    assert (report.worst.a, report.worst.b) == (-7, -7)


def test_compare_recognises_swapped_operands():
    asymmetric = np.arange(256).reshape(16, 16)
    report = compare(lut_with(asymmetric), lut_with(asymmetric.T))
    assert report.swapped
    assert not report.equal
    assert "only after swapping the operands" in report.sentence()
    symmetric = small_table()
    assert not compare(lut_with(symmetric), lut_with(symmetric.T)).swapped


def test_compare_names_a_wrong_quadrant():
    table = small_table()
    table[8:, 8:] *= -1
    report = compare(lut_with(small_table()), lut_with(table))
    assert report.quadrants == {"a<0 b<0": 64}
    assert report.count == 64


def test_compare_survives_the_largest_difference():
    low, high = np.full((16, 16), -(2**31)), np.full((16, 16), 2**31 - 1)
    report = compare(lut_with(low), lut_with(high))
    assert report.worst.actual - report.worst.expected == 2**32 - 1


def test_compare_notes_another_simulator():
    one = lut_with(small_table(), simulator={"version": "11.0"})
    other = lut_with(small_table(), simulator={"version": "12.0"})
    report = compare(one, other)
    assert report.equal
    assert report.notes == ("simulated with Icarus Verilog 12.0, the golden table with 11.0",)


def test_compare_refuses_tables_of_another_kind():
    unsigned = Lut(small_table(), *Operands.parse("u4"))
    with pytest.raises(
        HwsimError, match="expected a table of signed 4-bit operands, got one of unsig"
    ):
        compare(lut_with(small_table()), unsigned)


def test_extract_refuses_what_no_table_can_hold():
    wide = Catalogued("exact", operand=Operand(16, signed=True))
    with pytest.raises(HwsimError, match=r"exact: expected operands of at most 12 bits .* got 16"):
        extract([wide])
    with pytest.raises(HwsimError, match="expected at least 1 job, got 0"):
        extract(PAPER_MULTIPLIERS, jobs=0)


@pytest.mark.sim
def test_kill_9_while_extracting_leaves_no_half_table(tmp_path):
    script = (
        "import sys; from axhil.hwsim import Catalogued, Operand, extract\n"
        "print('ready', flush=True)\n"
        "for _ in range(99):\n"
        "    for m, lut in extract([Catalogued('drum', (2,), Operand(4, True))]).items():\n"
        "        lut.save(sys.argv[1] + '/drum_2.npz'); print('saved', flush=True)\n"
    )
    path = tmp_path / "drum_2.npz"
    for saves, delay in ((0, 0.5), (1, 0.0), (1, 0.4)):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            for _ in range(1 + saves):
                assert process.stdout.readline() in (b"ready\n", b"saved\n")
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        if path.exists():
            assert Lut.load(path).name == "drum(2)"
    assert path.exists()
