"""Finding and downloading weights, with small files and a server of our own for the real ones."""

import functools
import hashlib
import http.server
import threading

import pytest

from hvp.errors import UserError
from hvp.metrics import lpips_weights as download


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small weights table, the folder that a server of our own serves, and an empty cache."""
    server = tmp_path / "server"
    server.mkdir()
    handler = functools.partial(Quiet, directory=server)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield from table_of(
            server, f"http://127.0.0.1:{running.server_port}", tmp_path, monkeypatch
        )
        running.shutdown()


def table_of(server, address, tmp_path, monkeypatch):
    table = {}
    for name, content in (("a.keras", b"first"), ("b.keras", b"second")):
        (server / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        table[name] = download.WeightsFile(digest, f"{address}/{name}")
    monkeypatch.setitem(download.WEIGHTS, "toy", table)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HVP_WEIGHTS_DIR", raising=False)
    monkeypatch.delenv("HVP_CACHE_DIR", raising=False)
    yield server


def test_downloads_once_into_the_cache(published, tmp_path):
    folder = download.weights_folder("toy")
    assert folder == tmp_path / "cache" / "hvp" / "weights" / "toy"
    assert (folder / "b.keras").read_bytes() == b"second"
    (published / "a.keras").unlink()  # not needed again
    assert download.weights_folder("toy") == folder


def test_broken_file_in_the_cache_is_downloaded_again(published):
    folder = download.weights_folder("toy")
    (folder / "a.keras").write_bytes(b"cut")
    download.weights_folder("toy")
    assert (folder / "a.keras").read_bytes() == b"first"


def test_wrong_download_is_refused_and_not_kept(published, tmp_path):
    (published / "b.keras").write_bytes(b"forged")
    with pytest.raises(UserError, match=r"b\.keras is not the published file.*--weights-dir"):
        download.weights_folder("toy")
    assert not (tmp_path / "cache/hvp/weights/toy/b.keras").exists()


def test_no_connection_names_address_and_option(published):
    (published / "a.keras").unlink()
    with pytest.raises(
        UserError, match=r"cannot download http\S*a\.keras \(HTTP 404.*--weights-dir"
    ):
        download.weights_folder("toy")


def test_given_folder_or_its_parent(published, tmp_path, monkeypatch):
    assert download.weights_folder("toy", published) == published
    published.rename(tmp_path / "toy")
    assert download.weights_folder("toy", tmp_path) == tmp_path / "toy"
    monkeypatch.setenv("HVP_WEIGHTS_DIR", str(tmp_path))
    assert download.weights_folder("toy") == tmp_path / "toy"


def test_given_folder_is_checked_and_nothing_is_downloaded_into_it(published, tmp_path):
    (published / "b.keras").write_bytes(b"forged")
    with pytest.raises(UserError, match=r"b\.keras is not the published file"):
        download.weights_folder("toy", published)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match=r"empty: a\.keras of toy is missing there"):
        download.weights_folder("toy", empty)
    assert not list(empty.iterdir())


def test_unwritable_cache(published, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(UserError, match="cannot write to"):
        download.weights_folder("toy")


def test_a_cache_of_others_names_the_way_out(published, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pooch.retrieve", refuse)
    with pytest.raises(UserError, match=r"toy: choose another with HVP_CACHE_DIR$"):
        download.weights_folder("toy")


def test_lpips_table_is_complete():
    assert len(download.WEIGHTS["lpips_alex"]) == 10
    assert all(len(file.sha256) == 64 for file in download.WEIGHTS["lpips_alex"].values())
