"""FVD: protocols, names, cached statistics of real clips, and the record."""

import json
import subprocess
import sys

import numpy as np
import pytest

import hvp
from hvp.distances.distance import VideoDistance, measure, metric_label, write_record
from hvp.distances.frechet import FeatureStatistics
from hvp.distances.protocols import VideoProtocol, find_video_protocol
from hvp.errors import UserError


class Network:
    """Stands in for I3D: embeds a clip as 400 different sums of its pixels."""

    source, sha256, values_sha256 = "other", {"file": "digest"}, "ab" * 32
    description = "sums of pixels"

    def __init__(self):
        self.clips = 0

    def embed(self, videos):
        self.clips += len(videos)
        flat = videos.reshape(len(videos), -1).astype(np.float64) / 255
        weights = np.random.default_rng(0).normal(size=(flat.shape[1], 400))
        return (flat @ weights).astype(np.float32)


class Clips:
    """Random clips in batches of 3."""

    def __init__(self, seed, count=8, brightness=0):
        random = np.random.default_rng(seed)
        self.frames = random.integers(0, 200, (count, 9, 4, 4, 1), np.uint8) + np.uint8(brightness)
        self.about, self.left_out = {"videos_of": f"seed {seed}"}, 0

    def batches(self):
        for first in range(0, len(self.frames), 3):
            yield self.frames[first : first + 3]

    def content_sha256(self):
        return str(self.frames.sum())


PROTOCOL = VideoProtocol(8, 9)


def test_named_and_free_protocols():
    assert find_video_protocol("fvd2048_16f") == VideoProtocol(2048, 16)
    assert find_video_protocol("fvd2048_128f").num_frames == 128
    subsampled = find_video_protocol("fvd2048_128f_subsample8f")
    assert (subsampled.span, subsampled.num_frames) == (128, 16)
    assert subsampled.name == "fvd2048_128f_subsample8f"
    free = find_video_protocol("fvd10_35f_subsample4f")
    assert (free.num_videos, free.span, free.stride, free.num_frames) == (10, 35, 4, 9)
    assert VideoProtocol(250, 264, context=("out", 36)).name == "fvd250_264f_context36out"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fvd", "unknown FVD protocol 'fvd'; valid: fvd2048_16f"),
        ("fvd16_16f_", "of the form fvdN_Ff"),
        ("fvd1_16f", "at least 2 videos"),
        ("fvd16_16f_subsample0f", "subsampling of at least 1"),
        ("fvd16_8f", "fvd16_8f: FVD needs clips of at least 9 frames, found 8"),
        ("fvd16_128f_subsample16f", "at least 9 frames, found 8"),
    ],
)
def test_impossible_protocols(name, message):
    with pytest.raises(UserError, match=message):
        find_video_protocol(name)


def test_only_hub_weights_give_the_plain_name():
    network = Network()
    assert metric_label(PROTOCOL, network) == "fvd8_9f_weights_abababab"
    network.source = "rgb_imagenet"
    assert metric_label(PROTOCOL, network) == "fvd8_9f_rgb_imagenet"
    network.source = "hub"
    assert metric_label(PROTOCOL, network) == "fvd8_9f"


def test_record_holds_the_distance_and_what_decides_it(tmp_path):
    network, real, fake = Network(), Clips(1), Clips(2, brightness=50)
    embedded = []
    distance = VideoDistance(network, PROTOCOL, tmp_path / "cache", on_clips=embedded.append)
    record = measure(distance, real, fake)
    assert {"hvp_version", "tensorflow_version", "date"} <= set(record)
    expected = hvp.distances.frechet_distance(
        network.embed(real.frames), network.embed(fake.frames)
    )
    assert record["value"] == pytest.approx(expected, rel=1e-6)
    assert embedded == [3, 3, 2] * 2
    assert record["metric"] == distance.label == "fvd8_9f_weights_abababab"
    assert (record["protocol"], record["num_real"], record["num_fake"]) == ("fvd8_9f", 8, 8)
    assert (record["num_frames"], record["frame_stride"]) == (9, 1)
    assert record["real"] == {"videos_of": "seed 1"}
    assert record["weights"]["sha256"] == {"file": "digest"}
    write_record(record, tmp_path / "deep" / "record.json")
    assert json.loads((tmp_path / "deep" / "record.json").read_text()) == record


def test_real_statistics_are_kept_by_content(tmp_path):
    network, real = Network(), Clips(1)
    real.left_out = 3
    first = VideoDistance(network, PROTOCOL, tmp_path).real_statistics(real)
    assert network.clips == 8
    same = Clips(1)
    again = VideoDistance(network, PROTOCOL, tmp_path).real_statistics(same)
    assert network.clips == 8
    assert same.left_out == 3  # although its videos were not read
    np.testing.assert_array_equal(again.covariance, first.covariance)
    # other clips, other weights and other protocols are other statistics
    changed = Clips(1)
    changed.frames[0, 0, 0, 0, 0] += 1
    VideoDistance(network, PROTOCOL, tmp_path).real_statistics(changed)
    assert network.clips == 16
    network.values_sha256 = "cd" * 32
    VideoDistance(network, PROTOCOL, tmp_path).real_statistics(real)
    assert network.clips == 24
    (kept,) = (path for path in tmp_path.iterdir() if path.stat().st_mtime_ns == newest(tmp_path))
    kept.write_bytes(kept.read_bytes()[:1000])  # cut off, as a crash leaves it
    mended = VideoDistance(network, PROTOCOL, tmp_path).real_statistics(real)
    assert network.clips == 32
    np.testing.assert_array_equal(mended.mean, first.mean)


def newest(folder):
    return max(path.stat().st_mtime_ns for path in folder.iterdir())


def test_devices_share_the_clips(tmp_path):
    one = VideoDistance(Network(), PROTOCOL, tmp_path, devices=["/CPU:0"])
    two = VideoDistance(Network(), PROTOCOL, tmp_path, devices=["/CPU:0"] * 2)
    clips = Clips(1)
    expected, shared = (distance.statistics(clips.batches()) for distance in (one, two))
    assert shared.count == 8
    np.testing.assert_array_equal(shared.covariance, expected.covariance)


TWO_DEVICES = """
import sys
import numpy as np
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from hvp.distances.i3d import I3D
from hvp.distances.distance import VideoDistance
from hvp.distances.protocols import VideoProtocol
network, ran_on = I3D(sys.argv[1]), set()
original = network._embedding
def embedding(videos):
    result = original(videos)
    ran_on.add(result.device.split(":", 2)[-1])
    return result
network._embedding = embedding
clips = np.random.default_rng(0).integers(0, 256, (3, 1, 9, 16, 16, 3), np.uint8)
means = [
    VideoDistance(network, VideoProtocol(3, 9), sys.argv[1], devices=devices).statistics(clips).mean
    for devices in (["/CPU:0"], ["/CPU:0", "/CPU:1"])
]
np.testing.assert_allclose(means[1], means[0], atol=1e-5 * np.abs(means[0]).max())
print(len(ran_on))
"""


@pytest.mark.slow
def test_the_network_on_two_devices(i3d_checkpoint):
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(i3d_checkpoint)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2\n"  # both were used


def test_a_set_of_another_size_is_refused(tmp_path):
    distance = VideoDistance(Network(), PROTOCOL, tmp_path)
    with pytest.raises(UserError, match="fvd8_9f compares 8 clips, found 7"):
        distance.statistics(Clips(0, count=7).batches())


def test_clips_that_are_not_finite_are_refused(tmp_path):
    distance = VideoDistance(Network(), PROTOCOL, tmp_path)
    broken = FeatureStatistics(8, np.full(400, np.nan), np.eye(400))
    from hvp.distances.distance import record_of

    with pytest.raises(UserError, match="not finite"):
        record_of(PROTOCOL, distance.network, broken, broken, {})
