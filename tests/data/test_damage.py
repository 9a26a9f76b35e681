"""Damage in the middle of videos is named, and nothing is read that is not the video itself.

`HVP_CAMPAIGN_SEED=1 pytest -m campaign tests/data` tries a thousand damaged videos of each format.
"""

from __future__ import annotations

import io
import os
import socket
import struct
import time
import zipfile
from collections import Counter
from contextlib import redirect_stderr

import av
import h5py
import numpy as np
import pytest
from broken_inputs import VIDEO_FORMATS, damaged_in_the_middle, write_video
from PIL import Image
from time_limits import SECONDS, no_hang

from hvp.__main__ import main
from hvp.config import DataConfig
from hvp.data.archives import unpack
from hvp.data.decoding import _tell_of_hidden
from hvp.data.frame_counts import stored_frames
from hvp.data.gif_files import encode_gif
from hvp.data.masks import read_masks
from hvp.data.sources import data_set, open_source
from hvp.data.video_io import read_video, write_mp4
from hvp.errors import UserError

FRAMES = 15
SEED = int(os.environ.get("HVP_CAMPAIGN_SEED", "0"))


def moving(frames=FRAMES):
    """A bright square that moves over noise, so that every frame is another one."""
    random = np.random.default_rng(0)
    video = random.integers(60, size=(1, 32, 48, 3), dtype=np.uint8).repeat(frames, 0)
    for t in range(frames):
        video[t, 8:16, 2 * t : 2 * t + 8] = 230
    return video


def try_many(folder, name, count, seed):
    """Reads damaged copies of a video; returns how often what came of it.

    Frames that a changed edit list hides are told of: sound files, cut without encoding, have some.
    """
    whole = folder / f"whole-{name}"
    write_video(whole, moving())
    expected, content = read_video(whole), whole.read_bytes()
    random = np.random.default_rng(seed)
    outcomes = Counter()
    path = folder / f"damaged-{name}"
    for number in range(count):
        path.write_bytes(damaged_in_the_middle(content, random))
        start, told = time.perf_counter(), io.StringIO()
        _tell_of_hidden.cache_clear()
        with no_hang(), redirect_stderr(told):
            try:
                frames = read_video(path)
            except UserError as error:
                assert str(path) in str(error)
                assert "\n" not in str(error)
                outcomes["refused"] += 1
                continue
        assert time.perf_counter() - start < SECONDS
        same = np.array_equal(frames, expected)
        if f"{path}: its edit list hides" in told.getvalue():
            outcomes["told of"] += 1
            continue
        outcomes["same" if same else "other pixels"] += 1
        assert len(frames) == FRAMES, (name, seed, number)
    return outcomes


@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_some_damaged_videos(tmp_path, name):
    assert try_many(tmp_path, name, 40, seed=0)["refused"] >= 10


@pytest.mark.campaign
@pytest.mark.parametrize("name", VIDEO_FORMATS)
def test_a_thousand_damaged_videos(tmp_path, name):
    count = int(os.environ.get("HVP_CAMPAIGN_SIZE", "1000"))
    outcomes = try_many(tmp_path, name, count, SEED)
    print(f"{name}: {dict(outcomes)}")
    assert outcomes["refused"] > 0.1 * count


def test_formats_with_checksums_pass_no_other_pixels(tmp_path):
    for name in ("h264.mkv", "ffv1.mkv", "zipped.npz"):
        assert try_many(tmp_path, name, 60, seed=1)["other pixels"] == 0


@pytest.mark.parametrize("name", ["h264.avi", "plain.gif"])
def test_what_the_decoder_complains_about_is_damage(tmp_path, name):
    """All frames are there, some patched from others: libav says so, in a message or a flag."""
    path = tmp_path / name
    write_video(path, moving())
    content, random = path.read_bytes(), np.random.default_rng(3)
    refused = 0
    for _ in range(40):
        path.write_bytes(damaged_in_the_middle(content, random))
        try:
            with av.open(str(path)) as container:
                still = sum(1 for _ in container.decode(video=0))
            read_video(path)
        except (av.FFmpegError, IndexError):  # of libav; no video at all
            continue
        except UserError as error:
            refused += still == FRAMES and "it is damaged: " in str(error)
    assert refused >= 2


def test_frames_are_counted_without_a_decoder(tmp_path):
    for name in VIDEO_FORMATS:
        write_video(tmp_path / name, moving())
        counted = stored_frames(tmp_path / name)
        known = name.endswith((".gif", ".mkv", ".webm"))
        assert counted == (FRAMES if known else None), name


def test_a_gif_whose_chain_leads_through_the_next_picture(tmp_path):
    """One damaged byte, the end of a picture's data, makes the next picture more of its data."""
    noise = np.random.default_rng(0).integers(256, size=(3, 32, 48, 1), dtype=np.uint8)
    content = bytearray(encode_gif(noise, 10))
    picture = struct.pack("<cHHHH", b",", 0, 0, 48, 32)
    second = content.index(picture, content.index(picture) + 1)
    third = content.index(picture, second + 1)
    assert content[third - 9] == 0  # then the third's control block, 8 bytes
    assert content[third + 9] & 0x80  # 256 colours of its own: more than one part takes
    del content[third + 10 : third + 10 + 3 * 256]
    content[third + 9] = 0
    content[third - 9] = 8 + 10 + 1
    path = tmp_path / "a.gif"
    path.write_bytes(content)
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 2  # and libav says nothing
    with pytest.raises(UserError, match=r"a\.gif: damaged .* has more or less data than pixels"):
        read_video(path)


def test_a_gif_whose_loop_block_leads_through_the_first_picture(tmp_path):
    content = bytearray(encode_gif(moving()[..., :1], 10))
    size = content.index(b"NETSCAPE2.0") + 11
    assert content[size] == 3
    first = content.index(struct.pack("<cHHHH", b",", 0, 0, 48, 32))
    content[size] = 200
    content[size + 201 : first + 200] = bytes([0])  # ends within the picture, before its last part
    path = tmp_path / "a.gif"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.gif: damaged .* has other lengths than its kind"):
        read_video(path)


def test_a_frame_of_vp8_that_one_bit_hides(tmp_path):
    path = tmp_path / "a.webm"
    write_video(path.with_name("vp8.webm"), moving())
    content = bytearray(path.with_name("vp8.webm").read_bytes())
    with av.open(str(path.with_name("vp8.webm"))) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert packets[9][0] & 0x10
    content[content.index(packets[9])] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.webm: damaged .* hidden in the place of a shown one"):
        read_video(path)


def test_a_block_of_vp8_that_holds_the_next_one(tmp_path):
    write_video(tmp_path / "vp8.webm", moving())
    content = bytearray((tmp_path / "vp8.webm").read_bytes())
    with av.open(str(tmp_path / "vp8.webm")) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    header = 4  # a block's track, time and flags
    place = content.index(packets[9]) - header - 1
    length = len(packets[9]) + header
    assert content[place] == 0x80 | length  # in one byte, and the next block's beside it
    longer = length + 2 + header + len(packets[10])
    assert longer < 127
    content[place] = 0x80 | longer
    path = tmp_path / "a.webm"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.webm: damaged .* holds another one"):
        read_video(path)


@pytest.mark.parametrize(
    ("identifier", "message"),
    [(0xBF, "a checksum does not fit"), (0xEC, "in an empty place"), (0xA7, "too many bytes")],
)
def test_a_block_of_webm_that_passes_for_something_else(tmp_path, identifier, message):
    write_video(tmp_path / "vp9.webm", moving())
    content = bytearray((tmp_path / "vp9.webm").read_bytes())
    with av.open(str(tmp_path / "vp9.webm")) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    place = content.index(packets[9]) - 6  # before its length, track, time and flags
    assert content[place] == 0xA3
    content[place] = identifier
    path = tmp_path / "a.webm"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.webm: damaged .*{message}"):
        read_video(path)


def test_a_gif_whose_block_has_no_sound_name(tmp_path):
    content = encode_gif(moving()[..., :1], 10).replace(b"NETSCAPE2.0", b"NETSCAPE\x85\x85\x86")
    path = tmp_path / "a.gif"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.gif: damaged .* has other lengths than its kind"):
        read_video(path)


def test_frames_that_an_edit_list_hides_are_told_of_once(tmp_path, capsys):
    path = tmp_path / "h264.mp4"
    write_video(path, moving())
    content = bytearray(path.read_bytes())
    assert struct.unpack_from(">I", content, content.index(b"mvhd") + 16) == (1000,)
    struct.pack_into(">I", content, content.index(b"mvhd") + 16, 2000)  # all else is half as long
    path.write_bytes(content)
    for _ in range(2):
        assert 1 < len(read_video(path)) < FRAMES
    told = capsys.readouterr().err
    assert (
        told == f"note: {path}: its edit list hides {FRAMES - len(read_video(path))} of 15 frames\n"
    )


def test_an_mp4_of_which_a_frame_is_shown_after_the_end(tmp_path):
    path = tmp_path / "h264.mp4"
    write_video(path, moving())
    content = bytearray(path.read_bytes())
    table = content.index(b"ctts") + 12
    rows = [struct.unpack_from(">II", content, table + 8 * i) for i in range(8)]
    early = next(i for i, (number, offset) in enumerate(rows) if i > 2 and number == 1 and offset)
    struct.pack_into(">I", content, table + 8 * early + 4, rows[early][1] + 7 * 1024)
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"h264\.mp4: damaged .* do not fit (together|its edit list)"
    ):
        read_video(path)


def test_an_mp4_whose_frames_last_too_long_for_its_edit_list(tmp_path):
    path = tmp_path / "h264.mp4"
    write_video(path, moving())
    content = bytearray(path.read_bytes())
    table = content.index(b"stts")
    assert struct.unpack_from(">II", content, table + 8) == (1, FRAMES)
    content[table + 16] = 23
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"h264\.mp4: damaged .* last longer than its track"):
        read_video(path)


def test_arrays_that_are_not_as_large_as_they_say(tmp_path):
    np.save(tmp_path / "a.npy", moving())
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content.replace(b"(15,", b"(11,"))
    with pytest.raises(UserError, match=r"a\.npy: .*its header declares"):
        read_video(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", content.replace(b"(15,", b"(11,"))
    with pytest.raises(UserError, match=r"a\.npz: .*more than its header declares"):
        read_video(tmp_path / "a.npz")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        frames = file.create_dataset("x", (15, 8, 8), np.uint8, chunks=(1, 8, 8))
        frames[:9] = 1
    with pytest.raises(UserError, match=r"a\.h5: .*/x stores 9 chunks, its shape declares 15"):
        read_video(tmp_path / "a.h5")


@pytest.fixture
def secret(tmp_path):
    """A file that is no video, and an HDF5 file that somebody else may not want to be read."""
    (tmp_path / "secret").write_bytes(bytes(range(48)) * 4)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros((3, 8, 8), np.uint8)
    return tmp_path


def external_storage(file, secret):
    file.create_dataset("x", (3, 8, 8), np.uint8, external=[(str(secret / "secret"), 0, 192)])


def virtual(file, secret):
    layout = h5py.VirtualLayout((3, 8, 8), np.uint8)
    layout[:] = h5py.VirtualSource(str(secret / "other.h5"), "x", (3, 8, 8))
    file.create_virtual_dataset("x", layout)


def external_link(file, secret):
    file["x"] = h5py.ExternalLink(str(secret / "other.h5"), "x")


def soft_link(file, secret):
    file["deep/y"] = np.zeros((3, 8, 8), np.uint8)
    file["x"] = h5py.SoftLink("/deep/y")


@pytest.mark.parametrize("kind", [external_storage, virtual, external_link, soft_link])
def test_hdf5_that_leads_elsewhere(secret, kind):
    with h5py.File(secret / "a.h5", "w") as file:
        kind(file, secret)
    with pytest.raises(UserError, match=r"a\.h5: .*(elsewhere|other files)"):
        read_video(secret / "a.h5")
    with h5py.File(secret / "BJ13_M32x32_T30_InOut.h5", "w") as file:
        kind(file, secret)
        file["data"], file["date"] = np.zeros((48, 2, 4, 4)), np.zeros(48, "S10")
    with pytest.raises(UserError, match=r"BJ13.*(elsewhere|other files)"):
        data_set("taxibj").find_clips(secret)


def fifo(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def unix_socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # such a name may have a hundred bytes
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("make", [fifo, device, unix_socket])
@pytest.mark.parametrize("name", ["a.avi", "a.npy", "a.h5", "frames/1.png"])
def test_only_regular_files_are_opened(tmp_path, name, make):
    path = tmp_path / name
    if "/" in name:
        path.parent.mkdir()
        Image.new("RGB", (8, 8)).save(path.parent / "0.png")
    make(path)
    with no_hang(), pytest.raises(UserError, match=r"(a\.\w+|1\.png): is no regular file"):
        read_video(path.parent if "/" in name else path)


@pytest.mark.parametrize("make", [fifo, device])
def test_lists_masks_and_archives_too(tmp_path, capsys, make):
    (tmp_path / "masks").mkdir()
    names = ["masks/0.png", "a.zip", "testlist01.txt", "BJ13_M32x32_T30_InOut.h5", "00.txt"]
    for name in names:
        make(tmp_path / name)
    with no_hang():
        with pytest.raises(UserError, match=r"0\.png: is no regular file"):
            read_masks(tmp_path / "masks")
        with pytest.raises(UserError, match=r"a\.zip: is no regular file"):
            unpack(tmp_path / "a.zip", tmp_path / "out")
        for dataset, name in (("ucf101", names[2]), ("taxibj", names[3])):
            with pytest.raises(UserError, match=f"{name}: is no regular file"):
                data_set(dataset).find_clips(tmp_path)
        arguments = ["--sequences", str(tmp_path / "00.txt"), "--out", str(tmp_path / "out")]
        assert main(["prepare", "kth", *arguments]) == 2
    assert "00.txt: is no regular file" in capsys.readouterr().err


def test_what_decodes_can_be_taken(tmp_path, capsys):
    (tmp_path / "train").mkdir()
    for name in ("a", "b", "c"):
        write_mp4(tmp_path / f"train/{name}.mp4", moving())
    content = (tmp_path / "train/b.mp4").read_bytes()
    place = content.index(b"mdat") + (len(content) - content.index(b"mdat")) // 3
    (tmp_path / "train/b.mp4").write_bytes(content[:place] + bytes(400) + content[place + 400 :])
    (tmp_path / "train/c.mp4").write_bytes(content[:50])
    settings = {"dataset": "folder", "datadir": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    lengths = {}
    for choice in ("skip", "salvage", "skip"):
        config = DataConfig(**settings, height=16, width=16, unusable_videos=choice)
        source = open_source(config, "train", 2, 0)
        lengths[choice] = dict(zip(source.names, source.lengths, strict=True))
        report = capsys.readouterr().err
        assert "c.mp4" in report.split("left out: ")[1]
        assert ("used in part: 1 of 3 videos" in report) == (choice == "salvage")
    assert lengths["skip"] == {"train/a.mp4": FRAMES}
    assert set(lengths["salvage"]) == {"train/a.mp4", "train/b.mp4"}
    assert 2 <= lengths["salvage"]["train/b.mp4"] <= FRAMES
    with pytest.raises(UserError, match=r"2 of 3 videos.*salvage uses what decodes"):
        open_source(DataConfig(**settings, height=16, width=16), "train", 2, 0)
    # And prepare, which notes it: such clips do not mix with others.
    (tmp_path / "train/c.mp4").unlink()
    prepare = ["prepare", "folder", "--source", str(tmp_path), "--size", "16"]
    prepare += ["--out", str(tmp_path / "out")]
    assert main([*prepare, "--salvage"]) == 0
    assert "used in part: " in capsys.readouterr().err
    source = open_source(
        DataConfig(dataset="prepared", datadir=str(tmp_path / "out"), height=16, width=16),
        "train",
        2,
        0,
    )
    assert source.lengths == list(lengths["salvage"].values())
    assert main(prepare) == 2
    assert "with other options" in capsys.readouterr().err


def test_a_member_without_a_name(tmp_path):
    member = zipfile.ZipInfo("x")
    member.filename = ""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, b"content")
        archive.writestr("good.npy", b"content")
    assert unpack(tmp_path / "a.zip", tmp_path / "out") == [f"{tmp_path / 'a.zip'}:: has no name"]
    assert (tmp_path / "out/good.npy").is_file()
