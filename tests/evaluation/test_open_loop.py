"""Open-loop evaluation with toy models whose scores are known."""

import numpy as np
import pytest
import tensorflow as tf

from hvp.errors import UserError
from hvp.evaluation import OpenLoopSettings, evaluate, scorer
from hvp.metrics import mse, psnr, weighted_frequency
from hvp.models.base import VideoModel
from hvp.models.seeds import sample_noise

pytestmark = pytest.mark.usefixtures("eagerly")  # test_evaluate.py evaluates by graphs

CONTEXT, HORIZON = 3, 4


class CopyLast(VideoModel):
    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:], horizon, 1)[None]


class Noisy(VideoModel):
    """Copies the last frame and adds noise of one stream an example."""

    stochastic = True

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        copied = tf.repeat(context[:, -1:], horizon, 1)[None]
        noise = sample_noise(seeds, num_samples, 0, copied.shape[2:])
        return copied + 0.3 * tf.reshape(noise, (num_samples, *copied.shape[1:]))


def videos(count=5, frames=CONTEXT + HORIZON, channels=1):
    random = np.random.default_rng(0)
    return random.uniform(size=(count, frames, 16, 16, channels)).astype(np.float32)


def batches(video, batch_size):
    names = [f"clip{i}" for i in range(len(video))]
    return tf.data.Dataset.from_tensor_slices({"video": video, "name": names}).batch(batch_size)


def settings(**changes):
    return OpenLoopSettings(context=CONTEXT, horizon=HORIZON, **changes)


def numbers(result):
    return {
        (metric, kind): np.concatenate(
            [curve.mean, curve.interval, [curve.overall, curve.overall_interval]]
        )
        for metric, kinds in result.curves.items()
        for kind, curve in kinds.items()
    }


def test_copy_last_model_scores_as_the_baseline():
    result = evaluate(CopyLast(height=16, width=16), batches(videos(), 2), settings(num_samples=2))
    assert set(result.curves) >= {"mse", "psnr", "ssim"}
    for kinds in result.curves.values():
        for kind in ("best", "mean"):
            np.testing.assert_allclose(kinds[kind].mean, kinds["copy_last"].mean, rtol=1e-6)
            np.testing.assert_allclose(kinds[kind].interval, kinds["copy_last"].interval)
    assert result.num_examples == 5
    assert [row["name"] for row in result.examples] == [f"clip{i}" for i in range(5)]


def test_scores_are_the_metrics_of_the_horizon():
    video = videos()
    result = evaluate(CopyLast(height=16, width=16), batches(video, 5), settings())
    repeated = np.repeat(video[:, CONTEXT - 1 : CONTEXT], HORIZON, 1)
    expected = psnr(video[:, CONTEXT:], repeated).numpy()
    curve = result.curves["psnr"]["mean"]
    np.testing.assert_allclose(curve.mean, expected.mean(0), rtol=1e-6)
    assert curve.overall == pytest.approx(expected.mean(), rel=1e-6)
    spread = expected.mean(1).std(ddof=1)
    assert curve.overall_interval == pytest.approx(1.96 * spread / np.sqrt(5), rel=1e-4)
    assert result.examples[3]["psnr_mean"] == pytest.approx(expected[3].mean(), rel=1e-6)


def test_metrics_of_whole_videos_beside_those_of_frames():
    video = videos()
    metrics = ("weighted_frequency", "mse")
    wanted = settings(metrics=metrics, num_samples=2)
    result = evaluate(CopyLast(height=16, width=16), batches(video, 2), wanted)
    assert list(result.curves) == list(metrics)
    repeated = np.repeat(video[:, CONTEXT - 1 : CONTEXT], HORIZON, 1)
    expected = weighted_frequency(video[:, CONTEXT:], repeated).numpy()
    for kind in ("best", "mean", "copy_last"):
        curve = result.curves["weighted_frequency"][kind]
        np.testing.assert_allclose(curve.mean, [expected.mean()], rtol=1e-5)
        assert curve.overall == pytest.approx(expected.mean(), rel=1e-5)
    assert result.examples[3]["weighted_frequency_mean"] == pytest.approx(expected[3], rel=1e-5)
    assert result.curves["mse"]["mean"].mean.shape == (HORIZON,)


def test_best_of_n_is_the_best_sample_of_each_metric():
    class Levels(VideoModel):
        """Sample `s` is a constant frame: different ones are best for different examples."""

        stochastic = True

        def _rollout(self, context, horizon, num_samples, seeds, masks):
            levels = tf.reshape(tf.linspace(0.0, 1.0, num_samples), (-1, 1, 1, 1, 1, 1))
            shape = (num_samples, context.shape[0], horizon, *context.shape[2:])
            return tf.broadcast_to(levels, shape)

    video = np.stack([np.full((7, 16, 16, 1), level, np.float32) for level in (0.1, 0.6, 0.9)])
    result = evaluate(Levels(height=16, width=16), batches(video, 3), settings(num_samples=3))
    # levels 0, 0.5, 1: distances to the nearest are 0.1 in every example
    assert result.curves["mse"]["best"].overall == pytest.approx(0.01, rel=1e-4)
    assert result.curves["mae"]["best"].overall == pytest.approx(0.1, rel=1e-4)
    assert result.curves["psnr"]["best"].overall == pytest.approx(20.0, rel=1e-4)
    all_errors = [abs(a - b) for a in (0.1, 0.6, 0.9) for b in (0, 0.5, 1)]
    assert result.curves["mae"]["mean"].overall == pytest.approx(np.mean(all_errors), rel=1e-4)
    assert result.curves["mae"]["copy_last"].overall == 0.0


def test_best_is_at_least_as_good_as_the_mean():
    result = evaluate(Noisy(height=16, width=16), batches(videos(), 2), settings(num_samples=7))
    assert set(result.curves) >= {"mse", "psnr", "ssim"}
    for metric, kinds in result.curves.items():
        gain = kinds["best"].overall - kinds["mean"].overall
        assert gain > 0 if metric in ("psnr", "ssim") else gain < 0


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batch_size_does_not_change_results_and_the_seed_does(batch_size):
    model = Noisy(height=16, width=16)
    reference = evaluate(model, batches(videos(), 5), settings(num_samples=6))
    result = evaluate(model, batches(videos(), batch_size), settings(num_samples=6))
    assert ("mse", "best") in numbers(reference)
    for key, values in numbers(reference).items():
        np.testing.assert_allclose(numbers(result)[key], values, rtol=1e-4, err_msg=str(key))
    for example, expected in zip(result.gallery, reference.gallery, strict=True):
        assert example.name == expected.name
        np.testing.assert_array_equal(example.samples, expected.samples)
        np.testing.assert_allclose(example.stddev, expected.stddev, atol=1e-6)
    other = evaluate(model, batches(videos(), batch_size), settings(num_samples=6, seed=1))
    assert other.curves["mse"]["mean"].overall != result.curves["mse"]["mean"].overall


def test_samples_of_later_groups_differ_from_the_first():
    few = evaluate(Noisy(height=16, width=16), batches(videos(1), 1), settings(num_samples=5))
    more = evaluate(Noisy(height=16, width=16), batches(videos(1), 1), settings(num_samples=10))
    assert few.curves["mse"]["mean"].overall != more.curves["mse"]["mean"].overall
    np.testing.assert_array_equal(few.gallery[0].samples, more.gallery[0].samples)


def test_examples_are_kept_of_the_first_examples_only():
    result = evaluate(
        Noisy(height=16, width=16),
        batches(videos(), 2),
        settings(num_samples=4, gallery_examples=3, gallery_samples=2),
    )
    assert [example.name for example in result.gallery] == ["clip0", "clip1", "clip2"]
    example = result.gallery[2]
    assert example.truth.shape == (CONTEXT + HORIZON, 16, 16, 1)
    assert example.samples.shape == (2, HORIZON, 16, 16, 1)
    assert example.stddev.shape == (HORIZON, 16, 16)
    assert 0.1 < example.stddev.mean() < 0.3
    assert not evaluate(
        CopyLast(height=16, width=16), batches(videos(), 2), settings(gallery_examples=0)
    ).gallery


def test_a_deterministic_model_shows_one_prediction():
    few = settings(num_samples=12, gallery_samples=2)
    result = evaluate(CopyLast(height=16, width=16), batches(videos(), 2), few)
    for example in result.gallery:
        assert len(example.samples) == 1
        np.testing.assert_array_equal(example.samples[0, 3], example.truth[CONTEXT - 1])
        assert example.stddev is None


def test_only_the_context_reaches_the_model():
    seen = []

    class Spy(CopyLast):
        def _rollout(self, context, *arguments):
            seen.append(context.numpy())
            return super()._rollout(context, *arguments)

    video = videos(2, frames=CONTEXT + HORIZON + 2)
    evaluate(Spy(height=16, width=16), batches(video, 2), settings())
    np.testing.assert_array_equal(seen[0], video[:, :CONTEXT])


def test_unclipped_protocol_asks_for_unclipped_predictions():
    model = Noisy(height=16, width=16)
    metrics = ("mse", "psnr")
    clipped = evaluate(model, batches(videos(), 5), settings(metrics=metrics))
    legacy = evaluate(model, batches(videos(), 5), settings(metrics=metrics, protocol="legacy"))
    assert legacy.curves["mse"]["mean"].overall > clipped.curves["mse"]["mean"].overall


def test_protocol_reaches_the_metrics():
    result = evaluate(
        CopyLast(height=16, width=16),
        batches(videos(), 5),
        settings(metrics=("mse",), protocol="simvp"),
    )
    video = videos()
    repeated = np.repeat(video[:, CONTEXT - 1 : CONTEXT], HORIZON, 1)
    expected = mse(video[:, CONTEXT:], repeated, "simvp").numpy().mean()
    assert result.curves["mse"]["copy_last"].overall == pytest.approx(expected, rel=1e-5)


def test_user_errors():
    model = CopyLast(height=16, width=16)
    with pytest.raises(UserError, match="clip0 has 6 frames, the evaluation needs 7"):
        evaluate(model, batches(videos(frames=6), 2), settings())
    with pytest.raises(UserError, match="gave no videos"):
        evaluate(model, batches(videos(), 2).take(0), settings())
    with pytest.raises(UserError, match="unknown metric 'nonsense'; valid: mse"):
        settings(metrics=("nonsense",))
    with pytest.raises(UserError, match="unknown protocol 'nonsense'"):
        settings(protocol="nonsense")
    with pytest.raises(UserError, match="num_samples must be at least 1"):
        settings(num_samples=0)

    class Diverged(CopyLast):
        def _rollout(self, *arguments):
            frames = super()._rollout(*arguments).numpy()
            frames[0, 1, 2, 3, 3, 0] = np.nan
            return tf.constant(frames)

    with pytest.raises(UserError, match="prediction for clip1 holds NaN"):
        evaluate(Diverged(height=16, width=16), batches(videos(), 2), settings())


def test_scoring_in_parts_changes_nothing(monkeypatch):
    model = Noisy(height=16, width=16)
    whole = evaluate(model, batches(videos(), 5), settings(num_samples=6))
    # 7 frames at once of 6 samples and the baseline, so parts straddle examples.
    monkeypatch.setattr(scorer, "PIXELS_AT_ONCE", 7 * 6 * 16 * 16)
    parts = evaluate(model, batches(videos(), 5), settings(num_samples=6))
    assert ("mse", "best") in numbers(whole)
    for key, values in numbers(whole).items():
        np.testing.assert_allclose(numbers(parts)[key], values, rtol=1e-5, err_msg=str(key))
