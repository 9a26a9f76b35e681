import numpy as np
import pytest

from hvp.config import DataConfig
from hvp.data.sources.moving_shapes import SPEEDS, draw_parameters, render


def parameters(**changes):
    return {
        "start_xy": np.array([[16, 10], [32, 30], [48, 50]]),
        "direction": np.array([1, -1, 1]),
        "shape": np.array([0, 1, 2]),
        "color": np.array([[200, 100, 101], [102, 254, 103], [104, 105, 253]]),
        "speed": np.array([2, 4, 8]),
        **changes,
    }


def test_equal_to_the_golden(golden):
    data = golden("toy_videos")
    names = ("start_xy", "direction", "shape", "color", "speed")
    inputs = {name: data[f"inputs/{name}"] for name in names}
    np.testing.assert_array_equal(render(inputs, 16), data["outputs/videos"])
    one = {name: values[3] for name, values in inputs.items()}
    np.testing.assert_array_equal(render(one, 5), data["outputs/videos"][3, :5])


def test_objects_move_at_their_speeds_and_turn_at_the_walls():
    video = render(parameters(), 6)
    assert video.shape == (6, 64, 64, 3)
    # Each object is told apart by its column; its rows' centre moves by its speed.
    for column, rows in ((16, [10, 12, 14, 16, 18, 20]), (32, [30, 26, 22, 18, 14, 10])):
        lit = video[:, :, column].any(axis=-1)
        assert [float(np.mean(np.flatnonzero(frame))) for frame in lit] == rows
    tips = [int(np.flatnonzero(frame[:, 48].any(axis=-1))[0]) for frame in video]
    # 50, 58, then 66 would be beyond 60: one full step above it, 52, and on upwards.
    assert tips == [46, 54, 48, 40, 32, 24]


def test_draws_are_within_their_ranges():
    draws = [draw_parameters(np.random.default_rng(i)) for i in range(50)]
    rows = np.stack([d["start_xy"][:, 1] for d in draws])
    assert rows.min() >= 4
    assert rows.max() <= 59
    assert {int(s) for d in draws for s in d["speed"]} == set(SPEEDS)
    colors = np.stack([d["color"] for d in draws])
    assert colors.min() >= 100
    assert colors.max() <= 254


def test_as_a_data_set():
    from hvp.data.dataset import VideoSplit

    config = DataConfig(
        dataset="moving_shapes", channels=3, seq_len=4, train_videos=6, test_videos=3
    )
    first, again = (
        next(iter(VideoSplit(config, "train", seed=1).training_batches(6))) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape == (6, 4, 64, 64, 3)
    assert float(np.max(first)) <= 254 / 255
    test = [next(iter(VideoSplit(config, "test", seed=s).evaluation_batches(3))) for s in (1, 2)]
    np.testing.assert_array_equal(test[0]["video"], test[1]["video"])


def test_an_unprepared_folder_is_refused(tmp_path):
    from hvp.data.dataset import VideoSplit
    from hvp.errors import UserError

    config = DataConfig(dataset="moving_shapes", datadir=str(tmp_path), seq_len=4, channels=3)
    with pytest.raises(UserError, match="hvp prepare moving_shapes"):
        VideoSplit(config, "train")
