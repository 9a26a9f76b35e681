import numpy as np

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
