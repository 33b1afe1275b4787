"""``krun --check-start``: could this program go on with what runs in the run directory? It touches nothing.

What it finds is one line of JSON on standard output: ``{"ok": true, "krun": RELEASE, "legacy": N, "digest": …}`` or ``{"ok": false, "why":
…}``. ``krunctl upgrade`` asks the new program before it ends the old one; a package can ask too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kir import __version__
from kir.codec import Document, IrError
from krun.features import unsupported
from krun.parent import legacy
from krun.parent.boot import boot_id
from krun.parent.store import Store, StoreError


def run(argument: Path, given: Document | IrError, run_dir: Path, kernel: str) -> int:
    """Print the finding; the exit status is 0 for yes and 2 for no."""
    try:
        document = _would_start(argument.absolute(), given, Store(run_dir))
        _imports(kernel, document)
    except (IrError, StoreError, ValueError) as error:
        return _no(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, this program could not go on
        return _no(f"internal error: {type(error).__name__}: {error}")
    found = {"ok": True, "krun": __version__, "legacy": legacy.VERSION, "digest": document.digest}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _no(why: str) -> int:
    sys.stdout.write(json.dumps({"ok": False, "why": why}) + "\n")
    return 2


def _would_start(argument: Path, given: Document | IrError, store: Store) -> Document:
    """What `krun.parent.beginning` would choose while the krun there goes on, or goes on again. Raises where it could not be that."""
    kept = store.look()
    if kept is None or kept.running is None or kept.stopped or kept.argument != str(argument):
        if isinstance(given, IrError):
            raise given
        return given
    if kept.boot_id != boot_id():
        raise StoreError(f"{store.file}: is of another boot")
    for reference in (kept.running, kept.previous):
        if reference is None:
            continue
        document = store.get(reference)
        missing = unsupported(document.features)
        if missing:
            raise ValueError(f"{store.place(reference)}: {missing}")
    return store.get(kept.running)


def _imports(kernel: str, document: Document) -> None:
    """All that would be run, down to the last module."""
    import krun.parent.supervise  # noqa: F401
    from krun.parent.children import maker, needed, preload

    preload(kernel)
    for name in needed(document.config):
        maker(name)
