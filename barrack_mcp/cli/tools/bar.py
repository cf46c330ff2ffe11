"""A bar on a terminal while a call waits for a thing; nothing where nobody sees it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column


class Bar:
    """Shows how far a call is that says how far it has to go; gone when the call has ended.

    Args:
        console: Where it is drawn, if that is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        words = TextColumn(
            "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
        )
        columns = (BarColumn(bar_width=24, table_column=Column(min_width=24)), TimeElapsedColumn(), words)
        self._progress = Progress(*columns, console=console, transient=True, expand=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.shows:
            self._progress.stop()

    @property
    def shows(self) -> bool:
        """Whether it stands on the terminal."""
        return self._task is not None

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        """Hear how far the call is; what doesn't say how far it has to go is no wait."""
        if not self._console.is_terminal or (self._task is None and total is None):
            return
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=total)
        # past its usual end it may take as long as it likes: the bar stays nearly full
        whole = total if total is not None else progress * 1.05
        self._progress.update(self._task, completed=progress, total=whole, description=message or "")
