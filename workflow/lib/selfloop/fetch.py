"""Downloads: to a temporary name, checked against the published SHA-256, resumed where they broke off, done once.

The only code of the product that uses a network, and only the rules `fetch_<name>` call it.
"""

import fcntl
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from selfloop.errors import UserError
from selfloop.files import sha256
from selfloop.sources import Remote

_TIMEOUT = 30.0  # seconds without an answer or a byte
_ATTEMPTS = 4  # connections, as long as each brings something
_BLOCK = 1 << 20  # bytes
_FIRST_PROGRESS, _PROGRESS_SECONDS = 2.0, 5.0

Say = Callable[[str], None]


def fetch(remote: Remote, folder: str | Path, url: str | None = None, say: Say | None = None) -> bool:
    """Bring one file to ``folder``; True if it was downloaded, False if it lay there, whole. UserError in one line.

    ``url`` is a mirror's address of the same file. The bytes go to ``.<file>.part`` and take the file's name only when
    their SHA-256 is the published one. What a broken connection brought stays, and is gone on from; what is not the
    published file does not stay.
    """
    target, url = Path(folder) / remote.file, url or remote.url
    if target.exists():
        if sha256(target) != remote.sha256:
            raise UserError(f"{target}: is there, but is not the published file (its SHA-256 is {sha256(target)}, not "
                            f"{remote.sha256}); remove it and fetch again")  # fmt: skip
        return False
    with _locked(target.with_name(f".{target.name}.part")) as part:
        by_hand = f"on a machine with a network `curl -L -o {target.name} {url}`, and put it at {target}"
        _download(url, part, remote.size, by_hand, say or _on_stderr)
        found = sha256(part.name)
        if found != remote.sha256:
            os.unlink(part.name)
            raise UserError(f"{url}: not the published file: its SHA-256 is {found}, not {remote.sha256}; the download "
                            f"was removed")  # fmt: skip
        os.fsync(part.fileno())
        os.replace(part.name, target)
    return True


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """Open the temporary file for one process alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{path}: another process is downloading it") from None
        try:
            yield handle
        finally:
            handle.flush()
            if path.exists() and not path.stat().st_size:
                path.unlink()


def _download(url: str, part: BinaryIO, size: int, by_hand: str, say: Say) -> None:
    """Append what is missing to ``part``; a connection that breaks is taken up again where it broke."""
    problem = ""
    for attempt in range(_ATTEMPTS):
        have = part.tell()
        if have == size:
            return
        if attempt:
            say(f"{url}: {problem} at {have:,} of {size:,} bytes; going on")
        try:
            _receive(url, part, size, say)
        except urllib.error.HTTPError as error:
            raise UserError(f"{url}: {error.code} {error.reason}; {by_hand}") from None
        except (OSError, http.client.HTTPException) as error:
            problem = f"no connection ({_reason(error)})"
        else:
            problem = "the connection ended"
        part.flush()
        if part.tell() <= have:
            break
    got = part.tell()
    if got == size:
        return
    if got > size:  # _receive stops one byte after the end: not this file
        os.unlink(part.name)
        raise UserError(f"{url}: more than the {size:,} bytes of the published file; the download was removed")
    if not got:
        raise UserError(f"{url}: {problem or 'nothing came'}; fetching needs a network: {by_hand}")
    raise UserError(f"{url}: {problem} at {got:,} of {size:,} bytes; the same command goes on from there")


def _receive(url: str, part: BinaryIO, size: int, say: Say) -> None:
    """Make one request for what is missing and append what comes."""
    have = part.tell()
    headers = {"User-Agent": "selfloop", "Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT) as answer:
        if have and getattr(answer, "status", 200) != 206:  # the whole file, from its beginning
            part.truncate(0)
            part.seek(0)
        length = answer.headers.get("Content-Length", "")
        offered = part.tell() + int(length) if length.isdigit() else size
        if offered != size:
            raise UserError(f"{url}: offers {offered:,} bytes, the published file has {size:,}: it is another file, or "
                            f"a page in its place")  # fmt: skip
        clock = time.monotonic() + _FIRST_PROGRESS
        while part.tell() <= size and (block := answer.read(min(_BLOCK, size + 1 - part.tell()))):
            part.write(block)
            if time.monotonic() >= clock:
                clock = time.monotonic() + _PROGRESS_SECONDS
                say(f"{url}: {part.tell() / 1e6:.1f} of {size / 1e6:.1f} MB")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return " ".join(str(reason).split()) or type(error).__name__


def _on_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
