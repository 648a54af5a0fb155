"""Class-conditional diffusion: labels dropped in training, classifier-free guidance in sampling (Ho and Salimans 2022).

One network learns both: it is given the class of an image, or, for a share of the images, the null class K. With
eps_c and eps_0 its answers with the class and with the null class, a sample follows eps_0 + w (eps_c - eps_0): w = 1 is
the conditional model without guidance, w > 1 goes beyond it. (What is combined may be eps, x_0 or v: all are linear in
eps at one x_t.)
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from selfloop.errors import UserError

SCHEDULES = ("constant", "linear", "exponential", "interval")


class Guidance:
    """The guidance scale over the noise levels, ``guidance(t) -> w`` for t in 0..T-1; u = t / (T - 1) is 1 in noise.

    ``constant``: w. ``linear``: 1 + (w - 1) u. ``exponential``: 1 + (w - 1) exp(-rate (1 - u)). ``interval``: w where
    interval[0] <= u <= interval[1], else 1 (Kynkaanniemi et al. 2024). All but ``interval`` start at w; ``linear`` ends
    at 1, ``exponential`` at 1 + (w - 1) exp(-rate). The constants are ours, not those of a paper.
    """

    def __init__(self, scale: float, schedule: str, rate: float, interval, num_train_timesteps: int):
        if schedule not in SCHEDULES:
            raise UserError(f"sampling.params.guidance_schedule: '{schedule}' is not one of {', '.join(SCHEDULES)}")
        if len(interval) != 2 or not 0 <= interval[0] <= interval[1] <= 1:
            raise UserError(f"sampling.params.guidance_interval: {list(interval)} is not [low, high] in [0, 1]")
        self.scale, self.schedule, self.rate, self.interval = scale, schedule, rate, interval
        self.last = max(1, num_train_timesteps - 1)

    def __call__(self, t: int | torch.Tensor) -> float:
        u = float(t) / self.last
        if self.schedule == "interval":
            return self.scale if self.interval[0] <= u <= self.interval[1] else 1.0
        share = {"constant": 1.0, "linear": u, "exponential": math.exp(-self.rate * (1 - u))}[self.schedule]
        return 1.0 + (self.scale - 1.0) * share


def guided(predict: Callable, x: torch.Tensor, t: torch.Tensor, classes: torch.Tensor, null: int, w: float):
    """Return the guided output of ``predict(x, t, classes)`` at B x C x H x W, int64[B], int64[B].

    Without guidance (w = 1) that is one evaluation; else both are one evaluation of twice the batch.
    """
    if w == 1.0:
        return predict(x, t, classes)
    both = predict(torch.cat([x, x]), torch.cat([t, t]), torch.cat([classes, torch.full_like(classes, null)]))
    conditional, unconditional = both.chunk(2)
    return unconditional + w * (conditional - unconditional)


def drop_classes(classes: torch.Tensor, probability: float, null: int, stream: torch.Generator) -> torch.Tensor:
    """Return ``classes`` int64[B] with each replaced by ``null`` with a probability."""
    dropped = torch.rand(len(classes), generator=stream, device=classes.device) < probability
    return torch.where(dropped, torch.full_like(classes, null), classes)


def class_numbers(labels: np.ndarray | None, num_classes: int) -> np.ndarray:
    """Return the labels of a training set as int64[N], or raise UserError unless all are 0..num_classes-1."""
    if labels is None:
        raise UserError("generator.params.num_classes: a class-conditional model needs a label for every item of its "
                        "training set, and some have none")  # fmt: skip
    labels = np.asarray(labels, np.int64)
    if labels.min() < 0 or labels.max() >= num_classes:
        raise UserError(f"generator.params.num_classes: {num_classes} classes are numbered 0 to {num_classes - 1}, the "
                        f"training set has labels from {labels.min()} to {labels.max()}")  # fmt: skip
    return labels
