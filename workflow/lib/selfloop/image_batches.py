"""The batches of a training: images resident on the device as uint8, shuffled epochs, a stream for every step."""

import numpy as np
import torch

from selfloop.seeds import derive


class Batches:
    """``batches[step]`` is (float32 B x C x H x W in [-1, 1], the step's random generator), a function of (seed, step).

    An endless sequence of shuffled epochs cut into batches, one of which may reach into the next epoch. The generator
    has drawn nothing but the flips: what else a step draws comes from it, so that a resumed run meets the same numbers.
    """

    def __init__(self, samples: np.ndarray, batch_size: int, seed: int, device: str, horizontal_flips: bool,
                 labels: np.ndarray | None = None):  # fmt: skip
        self._images = torch.as_tensor(np.array(samples), device=device)
        self._labels = None if labels is None else torch.as_tensor(np.array(labels), device=device)
        self._batch_size, self._seed, self._flips = batch_size, seed, horizontal_flips
        self._stream = torch.Generator(device)
        self._orders: dict[int, torch.Tensor] = {}  # epoch -> its order, on the device

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Generator]:
        batch = self._images[self._index(step)].to(torch.float32).div_(127.5).sub_(1.0)
        stream = self._stream.manual_seed(derive(self._seed, "step", step))
        if self._flips:
            flip = torch.rand(len(batch), 1, 1, 1, generator=stream, device=batch.device) < 0.5
            batch = torch.where(flip, batch.flip(3), batch)
        return batch, stream

    def labels(self, step: int) -> torch.Tensor:
        """Return the labels of ``batches[step]``, int64[B]."""
        return self._labels[self._index(step)]

    def _index(self, step: int) -> torch.Tensor:
        n, first = len(self._images), step * self._batch_size
        epochs = range(first // n, (first + self._batch_size - 1) // n + 1)
        self._orders = {epoch: self._order(epoch) for epoch in epochs}
        return torch.cat(list(self._orders.values()))[first % n : first % n + self._batch_size]

    def _order(self, epoch: int) -> torch.Tensor:
        if epoch in self._orders:
            return self._orders[epoch]
        shuffled = torch.Generator().manual_seed(derive(self._seed, "epoch", epoch))
        order = torch.randperm(len(self._images), generator=shuffled, pin_memory=self._images.is_cuda)
        return order.to(self._images.device, non_blocking=True)  # from pinned memory: nobody waits for the copy
