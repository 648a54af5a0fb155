"""The fetch step against a server of this machine's own: no test asks the internet for anything."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfloop import fetch as module
from selfloop.errors import UserError
from selfloop.fetch import fetch
from selfloop.plugins import load_plugin
from selfloop.sources import SOURCES, Remote

CONTENT = bytes(range(256)) * 1000  # 256,000 bytes
ROOT = Path(__file__).parents[2]


class Server(ThreadingHTTPServer):
    """Serves CONTENT; says what it was asked for, and misbehaves as told."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []  # the Range header of each request
        self.body, self.cut, self.ranges, self.length = CONTENT, [], True, True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set/file.bin"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if not self.path.endswith("/file.bin"):
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        self.send_response(206 if start else 200)
        if server.length:
            self.send_header("Content-Length", str(len(server.body) - start))
        self.end_headers()
        end = server.cut.pop(0) if server.cut else len(server.body)  # where the connection breaks
        self.wfile.write(server.body[start:end])


@pytest.fixture
def server():
    with Server() as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def remote(server):
    return Remote(server.url, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def message(*arguments, **named) -> str:
    with pytest.raises(UserError) as caught:
        fetch(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_fetched_once(server, remote, tmp_path):
    assert fetch(remote, tmp_path / "set") is True
    assert (tmp_path / "set" / "file.bin").read_bytes() == CONTENT
    assert fetch(remote, tmp_path / "set") is False
    assert server.asked == [None], "a whole file is not asked for again"
    assert [file.name for file in (tmp_path / "set").iterdir()] == ["file.bin"]


def test_a_file_put_there_by_hand_is_checked_and_kept(server, remote, tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert fetch(remote, tmp_path) is False
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1])
    text = message(remote, tmp_path)
    assert text.startswith(f"{tmp_path}/file.bin: is there, but is not the published file (its SHA-256 is ")
    assert text.endswith("remove it and fetch again")
    assert (tmp_path / "file.bin").read_bytes() == CONTENT[:-1] and not server.asked


def test_a_wrong_checksum_leaves_nothing(server, remote, tmp_path):
    server.body = CONTENT[::-1]
    found = hashlib.sha256(server.body).hexdigest()
    assert message(remote, tmp_path) == (
        f"{remote.url}: not the published file: its SHA-256 is {found}, not {remote.sha256}; the download was removed"
    )
    assert not list(tmp_path.iterdir())


def test_a_broken_connection_is_taken_up_where_it_broke(server, remote, tmp_path):
    server.cut = [1000, 70_000]
    said = []
    assert fetch(remote, tmp_path, say=said.append) is True
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000-", "bytes=70000-"]
    assert said == [
        f"{remote.url}: the connection ended at {n} of 256,000 bytes; going on" for n in ("1,000", "70,000")
    ]


def test_what_came_stays_for_the_next_run(server, remote, tmp_path):
    server.cut = [1000, 1000]  # the second connection brings nothing
    assert message(remote, tmp_path, say=lambda text: None) == (
        f"{remote.url}: the connection ended at 1,000 of 256,000 bytes; the same command goes on from there"
    )
    assert [file.name for file in tmp_path.iterdir()] == [".file.bin.part"]
    assert fetch(remote, tmp_path) is True
    assert server.asked[-1] == "bytes=1000-" and (tmp_path / "file.bin").read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["file.bin"]


def test_a_server_that_cannot_resume_sends_all_of_it_again(server, remote, tmp_path):
    server.ranges = False
    (tmp_path / ".file.bin.part").write_bytes(b"x" * 5000)
    assert fetch(remote, tmp_path) is True
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_damaged_part_is_found_out_and_removed(server, remote, tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(b"x" * 5000)
    assert "not the published file: its SHA-256 is" in message(remote, tmp_path)
    assert fetch(remote, tmp_path) is True


def test_another_file_is_refused_before_it_is_loaded(server, remote, tmp_path):
    server.body = b"<html>please log in</html>"
    assert message(remote, tmp_path) == (
        f"{remote.url}: offers 26 bytes, the published file has 256,000: it is another file, or a page in its place"
    )
    assert not list(tmp_path.iterdir())


def test_an_endless_file_is_not_loaded_to_its_end(server, remote, tmp_path):
    server.length, server.body = False, CONTENT * 2
    expected = f"{remote.url}: more than the 256,000 bytes of the published file; the download was removed"
    assert message(remote, tmp_path) == expected
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there(server, remote, tmp_path):
    gone = remote._replace(url=remote.url + ".gone")
    assert message(gone, tmp_path) == (
        f"{gone.url}: 404 Not Found; on a machine with a network `curl -L -o file.bin.gone {gone.url}`, and put it at "
        f"{tmp_path}/file.bin.gone"
    )
    assert not list(tmp_path.iterdir())


def test_no_network(remote, server, tmp_path):
    server.shutdown()
    server.server_close()  # nobody listens there now
    assert message(remote, tmp_path) == (
        f"{remote.url}: no connection ([Errno 111] Connection refused); fetching needs a network: on a machine with a "
        f"network `curl -L -o file.bin {remote.url}`, and put it at {tmp_path}/file.bin"
    )
    assert not list(tmp_path.iterdir())


def test_a_server_that_says_nothing_is_given_up(server, remote, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.05)
    monkeypatch.setattr(Handler, "do_GET", lambda self: threading.Event().wait(0.5))
    assert "no connection (timed out); fetching needs a network" in message(remote, tmp_path)


def test_two_processes_do_not_write_one_file(remote, tmp_path):
    with module._locked(tmp_path / ".file.bin.part"):
        assert message(remote, tmp_path) == f"{tmp_path}/.file.bin.part: another process is downloading it"


def test_progress_only_when_it_takes_long(remote, tmp_path, monkeypatch):
    said = []
    fetch(remote, tmp_path / "a", say=said.append)
    assert not said
    monkeypatch.setattr(module, "_FIRST_PROGRESS", 0.0)
    fetch(remote, tmp_path / "b", say=said.append)
    assert said and re.fullmatch(rf"{remote.url}: \d\.\d of 0\.3 MB", said[0])


# ---- the table of sources


def test_every_source_names_whole_checksums_and_distinct_files():
    for name, source in SOURCES.items():
        files = [remote.file for remote in source.files]
        assert len(set(files)) == len(files) and re.fullmatch(r"[a-z][a-z0-9_]*", name)
        for remote in source.files:
            assert re.fullmatch(r"[0-9a-f]{64}", remote.sha256) and remote.size > 0
            if prefix := re.search(r"-([0-9a-f]{8})\.pth$", remote.file):  # torch hub's names carry it
                assert remote.sha256.startswith(prefix[1])


def test_torchvision_and_the_sources_name_the_same_files():
    from torchvision.datasets import MNIST, FashionMNIST

    for name, theirs in (("mnist", MNIST), ("fashion_mnist", FashionMNIST)):
        ours = [remote.file for remote in SOURCES[name].files]
        assert ours == [file for file, _ in theirs.resources]
        assert SOURCES[name].files[0].url == theirs.mirrors[0] + ours[0]


def test_the_fid_weights_are_those_that_the_embedder_asks_for():
    embedder = load_plugin(ROOT / "workflow/plugins/embedders/inception.py", "embedder")
    assert SOURCES["inception"].files[0].sha256 == embedder.FID_SHA256
