"""CUDA graphs: a function of tensors of fixed shapes, recorded once, then one launch instead of hundreds."""

from collections.abc import Callable

import torch


class Replay:
    """``Replay(function, *examples)(*inputs)`` is ``function(*inputs)``, without the CPU between its kernels.

    Each answer is a copy. ``function`` must not wait for the GPU;
    ``before_recording`` is called after the warm-up, to put back what that changed.
    """

    def __init__(self, function: Callable, *examples: torch.Tensor, before_recording: Callable | None = None):
        self._inputs = [example.clone() for example in examples]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                function(*self._inputs)
            if before_recording:
                before_recording()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._output = function(*self._inputs)

    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return self._output.clone()
