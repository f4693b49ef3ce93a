# SPDX-License-Identifier: Apache-2.0
"""Backends that several networks share: kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from weakref import WeakValueDictionary

from .backends import Backend

# Weights and products of tables whose backends are kept beyond the networks that use them: those of
# a ResNet-50, which take some 200 MB.
_VALUES = 2**25
# A larger layer is not kept: it would push all others out.
_LARGEST = 2**23


class BackendCache:
    """Backends by key: all that some network uses, and the last that were used.

    Pickled and copied as an empty one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: WeakValueDictionary[Hashable, Backend] = WeakValueDictionary()
        self._last: OrderedDict[Hashable, tuple[Backend, int]] = OrderedDict()
        self._values = 0

    def get(self, key: Hashable, values: int, make: Callable[[], Backend]) -> Backend:
        """The backend of a key, made where it is missing.

        Args:
            key: all that determines it.
            values: how many weights and products it has.
            make: makes it.
        """
        with self._lock:
            backend = self._used.get(key)
        if backend is None:
            backend = make()
        with self._lock:
            self._used[key] = backend
            if key in self._last:
                self._last.move_to_end(key)
            elif values <= _LARGEST:
                self._last[key] = backend, values
                self._values += values
            while self._values > _VALUES:
                _, (_, freed) = self._last.popitem(last=False)
                self._values -= freed
        return backend

    def __reduce__(self) -> tuple[type[BackendCache], tuple[()]]:
        return BackendCache, ()
