"""A file of a school becomes lines for COPY.

```python
with read(path, Expectation(Kind.STUDENTS, school.name, today, categories, others, mapping)) as reading:
    with cursor.copy(f"COPY stage ({', '.join(reading.columns)}) FROM STDIN") as copy:
        for chunk in reading.lines():
            copy.write(chunk)
            note(reading.progress)
reading.summary
```

`lines()` raises `Refused` with a sentence (the file cannot be read, holds no such sheet, no row) or `NeedsMapping`;
the transaction of the COPY then ends with nothing in it. Both may come after lines have gone by.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anxiao.directory.importing.reading.contract import (
        Expectation,
        MappingQuestion,
        NeedsMapping,
        Progress,
        ReadSheet,
        Summary,
        UnknownHeader,
        columns,
    )
    from anxiao.directory.importing.reading.parent import Reading, read
    from anxiao.directory.importing.templates import Kind

_HOMES = {"Kind": "templates", "Reading": "reading.parent", "read": "reading.parent"}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: the child imports this package too, once a file, and needs nothing of the parent."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"anxiao.directory.importing.{_HOMES.get(name, 'reading.contract')}"), name)


__all__ = [
    "Expectation",
    "Kind",
    "MappingQuestion",
    "NeedsMapping",
    "Progress",
    "ReadSheet",
    "Reading",
    "Summary",
    "UnknownHeader",
    "columns",
    "read",
]
