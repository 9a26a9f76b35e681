"""Broken inputs, made by mutating real files with a fixed seed."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import goldens
import h5py
import numpy as np
from PIL import Image

from hvp.data.gif_files import write_gif
from hvp.data.video_io import write_mp4

SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".npy", ".npz", ".h5")


# File names of every container and codec that damage is tried on.
VIDEO_FORMATS = (
    "h264.avi",
    "h264.mp4",
    "h264.mov",
    "h264.mkv",
    "ffv1.mkv",
    "vp8.webm",
    "vp9.webm",
    "plain.gif",
    "plain.npy",
    "zipped.npz",
    "zipped.h5",
)
CODECS = {"h264": "libx264", "ffv1": "ffv1", "vp8": "libvpx", "vp9": "libvpx-vp9"}


def write_video(path: Path, frames: np.ndarray) -> None:
    """Writes uint8 frames in one of `VIDEO_FORMATS`, by the end of the file's name."""
    kind, suffix = path.stem.split("-")[-1], path.suffix
    if suffix == ".npy":
        np.save(path, frames)
    elif suffix == ".npz":
        np.savez_compressed(path, frames)
    elif suffix == ".h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("video", data=frames, chunks=True, compression="gzip")
    elif suffix == ".gif":
        write_gif(path, frames)
    else:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(CODECS[kind], rate=25)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "bgr0" if kind == "ffv1" else "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode())


def damaged_in_the_middle(content: bytes, random: np.random.Generator) -> bytes:
    """A file's content with some bytes changed, zeroed, overwritten, lost or added in between."""
    damaged = bytearray(content)
    first, last = int(len(content) * 0.05), int(len(content) * 0.98)
    place, length = int(random.integers(first, last)), int(random.integers(1, 300))
    kind = random.integers(5)
    if kind == 0:
        for flipped in random.integers(first, last, size=random.integers(1, 6)):
            damaged[flipped] ^= random.integers(1, 256)
    elif kind == 1:
        damaged[place : place + length] = bytes(length)
    elif kind == 2:
        damaged[place : place + length] = random.bytes(length)
    elif kind == 3:
        del damaged[place : place + length]
    else:
        damaged[place:place] = random.bytes(length)
    return bytes(damaged)


PUBLISHED = (
    "kth_openstl_examples/train/train_example1.avi",
    "moving_mnist/mnist_test_seq.mov",
    "ucf101/v_ApplyEyeMakeup_g01_c01.avi",
    "ucf101/v_CricketShot_g04_c01_rgb.gif",
)


def real_files(folder: Path) -> list[Path]:
    """Files to mutate: one video in every format, and published ones where `../shared` has them."""
    published = [goldens.SHARED / "data" / name for name in PUBLISHED]
    folder.mkdir()
    t, y, x, c = np.ogrid[:20, :48, :64, :3]
    frames = np.abs((5 * y + 3 * x + 11 * t + 70 * c) % 510 - 255).astype(np.uint8)
    for suffix in (".mp4", ".mkv", ".mov", ".avi"):
        write_mp4(folder / f"real{suffix}", frames)
    for name in ("vp8.webm", "real.gif", "real.npy", "real.npz", "real.h5"):
        write_video(folder / name, frames)
    (folder / "real_frames").mkdir()
    for number, frame in enumerate(frames[:3]):
        Image.fromarray(frame).save(folder / f"real_frames/{number:05}.jpg")
    return [*(path for path in published if path.exists()), *sorted(folder.iterdir())]


class Mutator:
    """Makes broken inputs in `folder`; each method one kind, named after what it does."""

    def __init__(self, files: list[Path], folder: Path, seed: int):
        self._videos = [path for path in files if path.is_file()]
        self._pictures = next(path for path in files if path.is_dir())
        self._folder = folder
        self._random = np.random.default_rng(seed)
        self._made = 0

    def make(self, count: int) -> list[Path]:
        """`count` inputs, the kinds in turn."""
        kinds: list[Callable[[], Path]] = [
            self.truncated,
            self.flipped,
            self.wrong_extension,
            self.zero_bytes,
            self.folder_instead_of_file,
            self.one_frame,
            self.huge_declared_size,
            self.archive_that_leads_outside,
            self.link,
            self.unreadable,
            self.name_that_is_not_utf_8,
            self.damaged_frame_folder,
            self.damaged_archive,
            self.noise,
        ]
        return [kinds[number % len(kinds)]() for number in range(count)]

    def _choice(self, options: list) -> object:
        return options[self._random.integers(len(options))]

    def _content(self) -> tuple[bytes, str]:
        path = self._choice(self._videos)
        return path.read_bytes(), path.suffix

    def _new(self, kind: str, suffix: str) -> Path:
        self._made += 1
        return self._folder / f"{self._made:03}-{kind}{suffix}"

    def _written(self, kind: str, content: bytes, suffix: str) -> Path:
        path = self._new(kind, suffix)
        path.write_bytes(content)
        return path

    def _flip(self, content: bytes) -> bytes:
        damaged = bytearray(content)
        # Every other time only where the headers are.
        reach = min(len(damaged), self._choice([300, len(damaged)]))
        for place in self._random.integers(reach, size=self._random.integers(1, 30)):
            damaged[place] ^= self._random.integers(1, 256)
        return bytes(damaged)

    def truncated(self) -> Path:
        content, suffix = self._content()
        return self._written("cut", content[: self._random.integers(1, len(content))], suffix)

    def flipped(self) -> Path:
        content, suffix = self._content()
        return self._written("flipped", self._flip(content), suffix)

    def wrong_extension(self) -> Path:
        content, suffix = self._content()
        return self._written("renamed", content, self._choice([s for s in SUFFIXES if s != suffix]))

    def zero_bytes(self) -> Path:
        return self._written("empty", b"", self._choice(list(SUFFIXES)))

    def folder_instead_of_file(self) -> Path:
        path = self._new("folder", self._choice([".avi", ".mp4", ".gif", ".webm"]))
        path.mkdir()
        if self._random.integers(2):
            (path / "frame.jpg").mkdir()
        return path

    def one_frame(self) -> Path:
        path = self._new("single", ".mp4")
        write_mp4(path, np.full((1, 16, 16, 3), 90, np.uint8))
        return path

    def huge_declared_size(self) -> Path:
        suffix = self._choice([".avi", ".gif", ".npy", ".h5", ".png"])
        path = self._new("huge", suffix)
        if suffix == ".npy":
            header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 4000, 4000)}
            with path.open("wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
        elif suffix == ".h5":
            with h5py.File(path, "w") as file:
                file.create_dataset("x", (4, 60000, 60000), np.uint8, chunks=(1, 500, 500))
        elif suffix == ".png":
            path = path.with_suffix("")
            path.mkdir()
            picture = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
            checksum = struct.pack(">I", zipfile.crc32(picture))
            (path / "0.png").write_bytes(
                b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + picture + checksum
            )
        else:
            real = next(file for file in self._videos if file.suffix == suffix)
            content = bytearray(real.read_bytes())
            if suffix == ".gif":
                content[6:10] = b"\xff\xff\xff\xff"
            else:  # frames, width and height in the header of the file and of the stream
                place = content.index(b"avih") + 8
                struct.pack_into("<I", content, place + 16, 2**31 - 1)
                struct.pack_into("<II", content, place + 32, 60000, 60000)
                place = content.index(b"strh") + 8
                struct.pack_into("<I", content, place + 32, 2**31 - 1)
                struct.pack_into("<II", content, content.index(b"strf") + 12, 60000, 60000)
            path.write_bytes(content)
        return path

    def archive_that_leads_outside(self) -> Path:
        name = self._choice(["../escaped.npy", "/tmp/hvp-escaped.npy", "a/../../../escaped.npy"])
        content = next(path for path in self._videos if path.suffix == ".npy").read_bytes()
        if self._random.integers(2):
            path = self._new("outside", ".zip")
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(name, content)
        else:
            path = self._new("outside", ".tar")
            with tarfile.open(path, "w") as archive:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                link = tarfile.TarInfo("train/link.npy")
                link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(link)
        return path

    def link(self) -> Path:
        path = self._new("link", self._choice([".avi", ".mp4", ".npy"]))
        path.symlink_to(self._choice(["nowhere", path.name, "..", "/dev/zero", "/etc/hostname"]))
        return path

    def unreadable(self) -> Path:
        content, suffix = self._content()
        path = self._written("closed", content, suffix)
        path.chmod(0)
        return path

    def name_that_is_not_utf_8(self) -> Path:
        content, suffix = self._content()
        path = self._new("name", suffix)
        bad = self._choice([b"\xff\xfe", b"caf\xe9", b"two\nlines", b"\x1b[31m"])
        odd = Path(os.fsdecode(os.fsencode(path.with_suffix("")) + bad + suffix.encode()))
        odd.write_bytes(content[: len(content) // 2])
        return odd

    def damaged_frame_folder(self) -> Path:
        path = self._new("frames", "")
        shutil.copytree(self._pictures, path)
        victim = sorted(path.iterdir())[self._random.integers(3)]
        content = victim.read_bytes()
        how = self._random.integers(4)
        if how == 0:
            victim.write_bytes(content[: self._random.integers(len(content))])
        elif how == 1:
            victim.write_bytes(self._flip(content))
        elif how == 2:
            victim.unlink()
            victim.mkdir()
        else:
            victim.unlink()
            victim.symlink_to("nowhere")
        return path

    def damaged_archive(self) -> Path:
        path = self._new("damaged", ".zip")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(
                "train/a.npy", next(p for p in self._videos if p.suffix == ".npy").read_bytes()
            )
        content = path.read_bytes()
        cut = self._random.integers(2)
        content = content[: self._random.integers(len(content))] if cut else self._flip(content)
        path.write_bytes(content)
        return path

    def noise(self) -> Path:
        size = self._random.integers(1, 5000)
        return self._written("noise", self._random.bytes(size), self._choice(list(SUFFIXES)))


def make_readable(folder: Path) -> None:
    """So that the folder can be removed."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IRWXU)


def edited_folder(folder: Path, random: np.random.Generator) -> str:
    """Edits a prepared folder in one place; returns what was done, in words.

    Values of `info.json` become others, keys go, its bytes change; shards change, go, become links,
    pipes or folders.
    """
    shards = sorted(folder.glob("*.tfrecord"))
    shard = shards[random.integers(len(shards))]
    kind = random.integers(8)
    if kind < 4:
        return _edited_value(folder / "info.json", random)
    if kind == 4:
        victim = [folder / "info.json", shard][random.integers(2)]
        victim.write_bytes(damaged_in_the_middle(victim.read_bytes(), random))
        return f"damaged {victim.name}"
    content = shard.read_bytes()
    shard.unlink()
    if kind == 5:
        shard.symlink_to(["/dev/zero", "/bin/bash", "nowhere", "."][random.integers(4)])
        return f"{shard.name} is a link"
    if kind == 6:
        [os.mkfifo, os.mkdir][random.integers(2)](shard)
        return f"{shard.name} is no file"
    other = shards[(shards.index(shard) + 1) % len(shards)]
    shard.write_bytes(other.read_bytes() if random.integers(2) else content[: -len(content) // 3])
    return f"{shard.name} is another one"


ODD_VALUES = (
    None, True, -1, 0, 1, 7, 10**9, 2**63, 10**40, 1.5, float("nan"), float("inf"), "", "x",
    "/bin/bash", "../../etc/passwd", "a\0b", "\udcff", "x" * 10**5, [], {}, [[]],
    {"": {}}, ["/dev/zero"],
)  # fmt: skip


def _edited_value(path: Path, random: np.random.Generator) -> str:
    info = json.loads(path.read_text())
    place, way = info, []
    while True:  # down to some value, at any depth
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[random.integers(len(keys))]
        way.append(key)
        if isinstance(place[key], (dict, list)) and place[key] and random.integers(4):
            place = place[key]
            continue
        break
    value = ODD_VALUES[random.integers(len(ODD_VALUES))]
    if random.integers(5):
        place[key] = value
    else:
        del place[key]
    path.write_text(json.dumps(info))
    return f"{'.'.join(map(str, way))} = {value!r:.40}"
