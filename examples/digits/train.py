"""Train a small network on handwritten digits, in NumPy alone: the example that `make demo` publishes.

It knows nothing of LMVP: it makes a file of weights, as your own training does. ../demo.py publishes the file.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

DATA = Path(__file__).with_name("digits.csv.gz")
CLASSES = 10

Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """What one training run is made of: the same settings give the same weights, bit for bit, on the same machine."""

    hidden: int = 32
    epochs: int = 20
    learning_rate: float = 0.1
    batch: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Result:
    weights: Weights
    losses: list[float]  # mean cross-entropy over the training set, one number per epoch
    accuracy: float  # share of right answers on digits that the network never saw


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the pictures, (1797, 64) from 0.0 to 1.0, and the digits that they show, (1797,) from 0 to 9."""
    table = np.loadtxt(DATA, delimiter=",")
    return table[:, :64] / 16, table[:, 64].astype(int)


def split(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training images and labels, then test images and labels: every fourth digit is kept for the test.

    The same ones for every run, whatever its seed: otherwise accuracies could not be compared.
    """
    test = np.arange(len(images)) % 4 == 0
    return images[~test], labels[~test], images[test], labels[test]


def train(settings: Settings) -> Result:
    """Train by stochastic gradient descent: 64 pixels → hidden units (ReLU) → 10 probabilities (softmax)."""
    images, labels, test_images, test_labels = split(*load_digits())
    random = np.random.default_rng(settings.seed)
    weights = _first_weights(settings.hidden, random)
    losses = []
    for epoch in range(settings.epochs):
        rate = settings.learning_rate * (1 - epoch / settings.epochs)  # smaller steps towards the end: it settles
        order = random.permutation(len(images))
        for start in range(0, len(order), settings.batch):
            rows = order[start : start + settings.batch]
            _step(weights, images[rows], labels[rows], rate)
        losses.append(round(_loss(weights, images, labels), 6))
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    accuracy = float(np.mean(predict(weights, test_images) == test_labels))
    return Result(weights, losses, round(accuracy, 6))


def predict(weights: Weights, images: np.ndarray) -> np.ndarray:
    """Return the most probable digit for each picture."""
    return _forward(weights, images)[1].argmax(axis=1)


def save_weights(weights: Weights, path: Path) -> None:
    """Write a .npz: the same weights give the same bytes, so that a registry sees what did not change."""
    np.savez(path, allow_pickle=False, **weights)


def load_weights(path: Path) -> Weights:
    """Read a .npz without pickle: a downloaded file can hold numbers, and no code."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _first_weights(hidden: int, random: np.random.Generator) -> Weights:
    return {
        "w1": random.normal(0, np.sqrt(2 / 64), (64, hidden)),
        "b1": np.zeros(hidden),
        "w2": random.normal(0, np.sqrt(2 / hidden), (hidden, CLASSES)),
        "b2": np.zeros(CLASSES),
    }


def _forward(weights: Weights, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the hidden activations and the probability of each digit."""
    hidden = np.maximum(images @ weights["w1"] + weights["b1"], 0)
    scores = hidden @ weights["w2"] + weights["b2"]
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))  # the largest becomes 1: no overflow
    return hidden, powers / powers.sum(axis=1, keepdims=True)


def _loss(weights: Weights, images: np.ndarray, labels: np.ndarray) -> float:
    _, probabilities = _forward(weights, images)
    return float(-np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())


def _step(weights: Weights, images: np.ndarray, labels: np.ndarray, learning_rate: float) -> None:
    """Move the weights, in place, one step against the gradient of the cross-entropy."""
    hidden, probabilities = _forward(weights, images)
    error = probabilities
    error[np.arange(len(labels)), labels] -= 1
    error /= len(labels)
    error_hidden = (error @ weights["w2"].T) * (hidden > 0)
    gradients = {
        "w1": images.T @ error_hidden,
        "b1": error_hidden.sum(axis=0),
        "w2": hidden.T @ error,
        "b2": error.sum(axis=0),
    }
    for name, gradient in gradients.items():
        weights[name] -= learning_rate * gradient


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on 8 × 8 handwritten digits.")
    parser.add_argument("--hidden", type=int, default=Settings.hidden)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--learning-rate", type=float, default=Settings.learning_rate)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--out", type=Path, default=Path("weights.npz"))
    given = parser.parse_args()
    result = train(Settings(given.hidden, given.epochs, given.learning_rate, seed=given.seed))
    save_weights(result.weights, given.out)
    print(
        f"accuracy {result.accuracy:.4f}, loss {result.losses[0]:.4f} → {result.losses[-1]:.4f}, saved to {given.out}"
    )


if __name__ == "__main__":
    main()
