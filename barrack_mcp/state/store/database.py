"""One SQLite file: opened for its owner alone, brought to this version's tables, and safe between processes."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from barrack_mcp.state.files import open_private

MEMORY: Final = ":memory:"
BUSY_S: Final = 5.0
"""How long to wait for another process that is writing."""

_PAUSE_S: Final = 0.01
_PRIMARY: Final = 0xFF
"""The byte of SQLite's extended result codes that says what kind it is."""

_SENTENCES: Final = {
    sqlite3.SQLITE_BUSY: "is held by another process; try again.",
    sqlite3.SQLITE_CORRUPT: "is damaged; move it away and start again. Used answers and the ledger of purchases go "
    "with it: look first at what was bought.",
    sqlite3.SQLITE_NOTADB: "is not a state file of barrack-mcp; move it away, or set BARRACK_STATE to another place.",
    sqlite3.SQLITE_CANTOPEN: "can't be opened; set BARRACK_STATE to a place that can be written.",
    sqlite3.SQLITE_READONLY: "can't be written; set BARRACK_STATE to a place that can be.",
    sqlite3.SQLITE_FULL: "can't grow: the disk is full. Make room and try again.",
    sqlite3.SQLITE_IOERR: "can't be read or written: the disk reports an error.",
}


class StoreError(Exception):
    """The state can't be read or written; its text is one sentence for the operator."""


class Database:
    """An SQLite database, opened at its first use.

    Args:
        path: The file, made with mode 0600 in a folder made with mode 0700; or `:memory:`.
        migrations: What brings the tables from each version to the next, as SQL; the first makes them.
    """

    def __init__(self, path: Path | str, migrations: Sequence[str]) -> None:
        self._path = str(path)
        self._migrations = migrations
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._place: tuple[int, int] | None = None
        """The file that is open, under whatever name."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the database alone, for reading and writing; all is kept, or nothing when the block raises.

        Raises:
            StoreError: The file can't be read or written.
        """
        with self._lock, self._told_plainly():
            self._check_place()
            if self._connection is None:
                self._connection = self._opened()
            with _immediate(self._connection):
                yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read, without keeping other processes from writing.

        Raises:
            StoreError: The file can't be read.
        """
        with self._lock, self._told_plainly():
            self._check_place()
            if self._connection is None:
                self._connection = self._opened()
            yield self._connection

    def close(self) -> None:
        """Let go of the file; a later use opens it again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def _check_place(self) -> None:
        """See that what is open is still what bears the name: what is written elsewhere is lost with the process."""
        if self._connection is None or self._place is None:
            return
        with contextlib.suppress(FileNotFoundError):
            found = Path(self._path).stat()
            if (found.st_dev, found.st_ino) == self._place:
                return
        raise StoreError(
            f"The state file {self._path} was moved, deleted or exchanged while it was in use; put it back, or start "
            "the server again. Used answers and the ledger of purchases went with it: look first at what was bought."
        )

    def _opened(self) -> sqlite3.Connection:
        if self._path != MEMORY:
            file = open_private(Path(self._path), os.O_CREAT | os.O_RDWR)
            held = os.fstat(file)
            self._place = (held.st_dev, held.st_ino)
            os.close(file)
        # every use holds the lock, so the connection may go from thread to thread
        connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            write_ahead(connection)
            # a used nonce has to outlast a power cut, too
            connection.execute("PRAGMA synchronous = FULL")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        with _immediate(connection):
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(self._migrations):
                raise StoreError(
                    f"The state file {self._path} is from a newer barrack-mcp; install that one, or set BARRACK_STATE "
                    "to another place."
                )
            for migration in self._migrations[version:]:
                for statement in migration.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(self._migrations)}")

    @contextlib.contextmanager
    def _told_plainly(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            what = _SENTENCES.get(code & _PRIMARY if code is not None else -1, f"can't be used ({error}).")
            raise StoreError(f"The state file {self._path} {what}") from error
        except OSError as error:
            raise StoreError(
                f"The state file {self._path} can't be opened ({error.strerror}); set BARRACK_STATE to a place that "
                "can be written."
            ) from error


@contextlib.contextmanager
def _immediate(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # a full disk may have rolled back already
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def write_ahead(connection: sqlite3.Connection) -> None:
    """Let reads go on beside a write. SQLite doesn't wait for the switch where two processes make it at once."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
