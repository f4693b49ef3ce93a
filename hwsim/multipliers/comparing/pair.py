# SPDX-License-Identifier: Apache-2.0
"""Two words, or two folders of files, compared: what a gate in a repository does."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ...errors import HwsimError
from ...netlist.equivalence import LIMIT
from ...simulation.waveform import Waveform
from ..catalogued import Catalogued
from ..find import Origin, Request, find_pair, origin_of
from ..from_model import FromModel
from ..multiplier import Multiplier, Progress, make_tables
from ..source import TOML_SUFFIX
from .comparison import Comparison, compare_tables
from .difference import Difference
from .exhaustive import compare_wide, is_wide
from .mismatch import Side, mismatch_waveform
from .opinion import Opinion, second_opinions
from .proving import Equivalence, is_countable, prove_equal

_IN_FOLDERS = {Origin.verilog, Origin.table, Origin.c_model}


@dataclass(frozen=True)
class Pair:
    """Two multipliers to compare.

    Attributes:
        x: the first.
        y: the second.
        names: what to call them.
    """

    x: Multiplier
    y: Multiplier
    names: tuple[str, str]

    @classmethod
    def find(cls, x: str, y: str, request: Request) -> "Pair":
        """The multipliers that two words name; what one does not say, the other does.

        Raises:
            HwsimError: as `find_pair`.
        """
        first, second = find_pair(x, y, request, request)
        # One file name in two folders is no name for either.
        named = (x, y) if first.name == second.name else (first.name, second.name)
        return cls(first, second, named)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was concluded about either."""
        return tuple(dict.fromkeys(note for one in (self.x, self.y) for note in one.notes))

    def compare(
        self,
        *,
        limit: float = LIMIT,
        by_gates: bool = True,
        make: Callable[[Sequence[Multiplier]], None] = make_tables,
        progress: Progress | None = None,
    ) -> "Compared":
        """Compares all products, or looks for a proof where there are too many.

        Args:
            limit: seconds for a proof.
            by_gates: with a second opinion by gates on each table that is simulated.
            make: makes tables.
            progress: called with (products so far, products in all), where there are no tables.

        Raises:
            HwsimError: their operands differ, or one has no products.
        """
        if is_wide(self.x):
            return Compared(self, self._compare_wide(limit, progress), {})
        both = list(dict.fromkeys((self.x, self.y)))
        simulated = [one for one in both if by_gates and _is_simulated(one)]
        with second_opinions(simulated) as opinion:
            make(both)
            opinions = {one.name: opinion(one, one.table()) for one in simulated}
        compared = compare_tables(self.x.table(), self.y.table(), names=self.names)
        return Compared(self, compared, opinions)

    def _compare_wide(self, limit: float, progress: Progress | None) -> Comparison | Equivalence:
        """Without tables; models keep running while they are compared."""
        with ExitStack() as stack:
            x, y = (
                stack.enter_context(one.running()) if isinstance(one, FromModel) else one
                for one in (self.x, self.y)
            )
            if not is_countable(x, y):
                return prove_equal(x, y, names=self.names, limit=limit)
            return compare_wide(x, y, names=self.names, progress=progress)

    def require_verilog(self) -> None:
        """Refuses a pair that no simulator can run.

        Raises:
            HwsimError: neither is Verilog.
        """
        if self.x.circuit() is None and self.y.circuit() is None:
            raise HwsimError(
                f"expected Verilog for a waveform, got {self.names[0]} and {self.names[1]}"
            )


@dataclass(frozen=True)
class Compared:
    """What came of it.

    Attributes:
        pair: the multipliers.
        result: equal, or where not.
        opinions: of gates on tables that were simulated, by name; None where there is none.
    """

    pair: Pair
    result: Comparison | Equivalence
    opinions: Mapping[str, Opinion | None]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The first few, in the order of the table."""
        if isinstance(self.result, Comparison):
            return self.result.first
        return tuple(filter(None, [self.result.difference]))

    def waveform(self, *, limit: float) -> tuple[Waveform, int]:
        """As `mismatch_waveform`, of two that differ."""
        tables = not is_wide(self.pair.x)
        x, y = (
            Side(name, one.circuit(), one.table() if tables else None)
            for name, one in zip(self.pair.names, (self.pair.x, self.pair.y), strict=True)
        )
        return mismatch_waveform(x, y, self.differences, limit=limit)


def namesakes(x: Path, y: Path) -> dict[str, tuple[str, str]]:
    """Each multiplier in one folder with that of the same name in another, by that name.

    Args:
        x: folder of tables, Verilog or C models.
        y: likewise; what it has beyond those names is left alone, as parts of a design are.

    Raises:
        HwsimError: one has several namesakes, or there is nothing in the first folder.
    """
    wanted, there = _by_name(x), _by_name(y)
    if not wanted:
        raise HwsimError(f"{x}: expected tables or Verilog in the folder, found none")
    pairs = {}
    for name, files in wanted.items():
        # What is missing is missed when it is read, and no other for it.
        usual = ".v" if origin_of(str(files[0])) is Origin.table else ".npz"
        found = there.get(name, [y / f"{name}{usual}"])
        for folder, some in ((x, files), (y, found)):
            if len(some) > 1:
                got = " and ".join(path.name for path in some)
                raise HwsimError(f"{folder}: expected one file of the name {name}, got {got}")
        pairs[name] = (str(files[0]), str(found[0]))
    return pairs


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The multipliers in a folder; facts beside Verilog are no other one."""
    found: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix and _is_multiplier(path):
                found.setdefault(path.stem, []).append(path)
    except OSError as error:
        raise HwsimError(f"cannot read {folder}: {error.strerror or error}") from error
    return {
        name: [path for path in files if path.suffix.lower() != TOML_SUFFIX] or files
        for name, files in found.items()
    }


def _is_multiplier(path: Path) -> bool:
    try:
        return origin_of(str(path)) in _IN_FOLDERS
    except HwsimError:
        return False


def _is_simulated(multiplier: Multiplier) -> bool:
    """Whether its table is what a simulator makes of Verilog."""
    golden = isinstance(multiplier, Catalogued) and multiplier.is_golden
    return multiplier.circuit() is not None and not golden
