"""The training example: what it is trained on, how well it learns, and that it does so again."""

import hashlib
from pathlib import Path

import numpy as np

from examples.digits import train

BEST = train.Settings(hidden=64, epochs=40, learning_rate=0.2)


def weights_digest(settings: train.Settings, path: Path) -> str:
    train.save_weights(train.train(settings).weights, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_data_are_the_ones_that_the_readme_names():
    digest = hashlib.sha256(train.DATA.read_bytes()).hexdigest()
    images, labels = train.load_digits()
    assert digest in train.DATA.with_name("README.md").read_text("utf-8")
    assert train.DATA.stat().st_size < 300 * 1024
    assert (images.shape, labels.shape) == ((1797, 64), (1797,))
    assert (images.min(), images.max()) == (0, 1)
    assert sorted(set(labels)) == list(range(10))


def test_no_test_digit_is_among_those_trained_on():
    numbers = np.arange(1797)
    train_images, train_labels, test_images, test_labels = train.split(numbers, numbers)
    assert (len(train_images), len(test_images)) == (1347, 450)
    assert sorted([*train_images, *test_images]) == list(numbers)
    assert list(train_labels) == list(train_images)
    assert list(test_labels) == list(test_images)


def test_the_best_settings_reach_95_percent_with_a_falling_loss():
    result = train.train(BEST)
    assert result.accuracy >= 0.95
    assert len(result.losses) == BEST.epochs
    assert result.losses[-1] < result.losses[0] / 5


def test_the_same_settings_give_the_same_bytes_and_another_seed_others(tmp_path):
    settings = train.Settings(hidden=16, epochs=3)
    first = weights_digest(settings, tmp_path / "first.npz")
    assert weights_digest(settings, tmp_path / "again.npz") == first
    assert weights_digest(train.Settings(hidden=16, epochs=3, seed=1), tmp_path / "other.npz") != first


def test_weights_read_back_predict_the_same(tmp_path):
    result = train.train(train.Settings(hidden=16, epochs=3))
    train.save_weights(result.weights, tmp_path / "weights.npz")
    images, _ = train.load_digits()
    read = train.load_weights(tmp_path / "weights.npz")
    assert {name: array.dtype for name, array in read.items()} == dict.fromkeys(result.weights, np.dtype("float32"))
    assert np.array_equal(train.predict(read, images), train.predict(result.weights, images))
