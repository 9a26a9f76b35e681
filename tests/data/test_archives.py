"""Archives are not trusted: nothing outside of the folder, no links, no bombs."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import zipfile

import pytest

from hvp.data.archives import Limits, unpack
from hvp.errors import UserError


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".complete"
    )


@pytest.fixture
def folder(tmp_path):
    """Where to unpack to; nothing may appear beside it."""
    yield tmp_path / "out/unpacked"
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "a.zip", "a.tar", "a.tgz", "aim"}
    assert [path.name for path in (tmp_path / "out").iterdir()] in ([], ["unpacked"])


HOSTILE = ["../up.npy", "a/../../up.npy", "/tmp/hvp-absolute.npy", "C:\\up.npy", "..\\up.npy"]


def test_zip_members_that_lead_outside(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in (*HOSTILE, "good/1.npy", "good/readme.md", "__MACOSX/2.npy"):
            archive.writestr(name, b"content")
    problems = unpack(tmp_path / "a.zip", folder)
    assert files(folder) == ["good", "good/1.npy"]
    assert len(problems) == len(HOSTILE)
    assert all("leads outside of the archive's folder" in problem for problem in problems)
    assert all("\n" not in problem and "a.zip" in problem for problem in problems)
    assert not os.path.exists("/tmp/hvp-absolute.npy")
    assert unpack(tmp_path / "a.zip", folder) == problems  # from its note, not again


@pytest.mark.parametrize("suffix", ["tar", "tgz"])
def test_tar_members_that_lead_outside_and_links(tmp_path, folder, suffix):
    path = tmp_path / f"a.{suffix}"
    (tmp_path / "aim").mkdir()
    with tarfile.open(path, "w:gz" if suffix == "tgz" else "w") as archive:
        for name in HOSTILE[:3]:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
        for name, kind, aim in (
            ("link.npy", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard.npy", tarfile.LNKTYPE, "/etc/passwd"),
            ("pipe.npy", tarfile.FIFOTYPE, ""),
            ("door", tarfile.SYMTYPE, str(tmp_path / "aim")),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, aim
            archive.addfile(link)
        for name in ("door/through.npy", "good.npy"):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = 7, 1_000_000_000
            archive.addfile(member, io.BytesIO(b"content"))
    problems = unpack(path, folder)
    # The link was never made, so that its name is an ordinary folder.
    assert files(folder) == ["door", "door/through.npy", "good.npy"]
    assert not list((tmp_path / "aim").iterdir())
    assert len([problem for problem in problems if "leads outside" in problem]) == 3
    assert len([problem for problem in problems if "is no plain file" in problem]) == 3
    assert (folder / "good.npy").stat().st_mtime == 1_000_000_000


def test_zip_links(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link.npy")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    (problem,) = unpack(tmp_path / "a.zip", folder)
    assert "link.npy: is no plain file" in problem
    assert files(folder) == []


def test_bombs_are_refused_before_anything_is_written(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.npy", bytes(2**20))
    limits = Limits(members=10, ratio=100, spare=0)
    with pytest.raises(UserError, match=r"a\.zip: would unpack to .* it looks like a bomb"):
        unpack(tmp_path / "a.zip", folder, limits)
    assert files(folder) == []
    with pytest.raises(UserError, match="holds more than 2 files"):
        unpack(tmp_path / "a.zip", folder, Limits(members=2))
    assert unpack(tmp_path / "a.zip", folder, Limits(ratio=2000)) == []
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as archive:
        for number in range(4):
            archive.addfile(tarfile.TarInfo(f"{number}.npy"), io.BytesIO())
    with pytest.raises(UserError, match="holds more than 2 files"):
        unpack(tmp_path / "a.tgz", folder, Limits(members=2))


def test_a_declared_size_beyond_the_disk(tmp_path, folder):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("a.npy")
        member.size = 2**60
        archive.addfile(member)
    with pytest.raises(UserError, match=r"a\.tar: (would unpack|is a damaged|unpacks to)"):
        unpack(tmp_path / "a.tar", folder, Limits(ratio=1e18))
    assert files(folder) == []


def test_damaged_members_and_archives(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a/bad.npy", b"a" * 100)
        archive.writestr("a/good.npy", b"b" * 100)
        archive.writestr("a", b"a file where a folder is needed")
        archive.writestr("a/good.npy.npy/deep.npy", b"fine")
    content = (tmp_path / "a.zip").read_bytes().replace(b"a" * 100, b"a" * 99 + b"x", 1)
    (tmp_path / "a.zip").write_bytes(content)
    (problem,) = unpack(tmp_path / "a.zip", folder)
    assert "a.zip:a/bad.npy: Bad CRC-32" in problem
    assert files(folder) == ["a", "a/good.npy", "a/good.npy.npy", "a/good.npy.npy/deep.npy"]
    (tmp_path / "a.zip").write_bytes(content[:150])
    with pytest.raises(UserError, match=r"a\.zip: cannot be read as an archive"):
        unpack(tmp_path / "a.zip", folder.with_name("unpacked"))
