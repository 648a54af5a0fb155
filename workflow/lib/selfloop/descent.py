"""Gradient descent of one network: the optimizer, its schedule, clipping, mixed precision and the moving average."""

import contextlib
from collections.abc import Callable, Iterator

import torch

from selfloop.replay import Replay
from selfloop.team import Team


class Descent:
    """All that changes from step to step, so that a checkpoint is one dict: see ``state_dict`` and ``resume``.

    ``loss`` is a function of the tensors of a batch, whose shapes never change; ``rate`` the factor of the learning
    rate at a step, ``clip`` the largest norm of the gradient (None: no limit), ``ema_decay`` the decay per step of the
    average of the weights (None: no average), warmed up as min(decay, (1 + t) / (10 + t)). Nothing in a step waits for
    a GPU; there, forward and backward are one CUDA graph.
    """

    def __init__(
        self, network, loss: Callable[..., torch.Tensor], optimizer, rate: Callable[[int], float], clip: float | None,
        ema_decay: float | None, precision: str, device: str, team: Team,
    ):  # fmt: skip
        self.network, self.loss, self.optimizer, self.clip = network, loss, optimizer, clip
        self.ema_decay, self.team = ema_decay, team
        self.parameters = list(network.parameters())
        self.average = [p.detach().clone() for p in self.parameters] if ema_decay else []
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        self.on_gpu = torch.device(device).type == "cuda"
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=precision == "fp16")
        self.autocast = autocast(device, precision)
        self._replay = None
        self.steps = 0

    def step(self, *batch: torch.Tensor, weight: float = 1.0) -> torch.Tensor:
        """Take one step along the gradient of ``weight * loss(*batch)`` and return that value, on the device.

        In a team the values and gradients of its processes are added: ``weight`` is the process's share of the batch.
        """
        loss = self._gradients(*batch, weight=weight)
        if self.team.size > 1:
            self.team.add([p.grad for p in self.parameters] + [loss])
        if self.clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.steps += 1
        if self.average:
            decay = min(self.ema_decay, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return loss

    def _gradients(self, *batch: torch.Tensor, weight: float) -> torch.Tensor:
        """Fill the gradients and return the value of the loss."""

        def forward_and_backward(*batch):
            with self.autocast:
                loss = self.loss(*batch) * weight
            self.scaler.scale(loss).backward()
            return loss.detach()

        if not self.on_gpu:
            self.optimizer.zero_grad(set_to_none=True)
            return forward_and_backward(*batch)
        if self._replay is None:  # recorded without gradients there, the backward pass writes them instead of adding
            self._replay = Replay(forward_and_backward, *batch, before_recording=self.optimizer.zero_grad)
        return self._replay(*batch)

    def average_weights(self) -> dict[str, torch.Tensor]:
        """Return the network's state with the averaged weights in it, or the last ones where there is no average."""
        state = dict(self.network.state_dict())
        names = [name for name, _ in self.network.named_parameters()]
        return state | dict(zip(names, self.average, strict=True)) if self.average else state

    def state_dict(self) -> dict:
        """Return everything the next step depends on: tensors, numbers and containers of them."""
        parts = {name: getattr(self, name).state_dict() for name in ("network", "optimizer", "schedule", "scaler")}
        return parts | {"average": self.average, "step": self.steps}

    def resume(self, state: dict | None) -> int:
        """Take over a ``state_dict`` (None: begin) and return the number of steps that have been taken."""
        if state is not None:
            for name in ("network", "optimizer", "schedule", "scaler"):
                getattr(self, name).load_state_dict(state[name])
            for value, saved in zip(self.average, state["average"], strict=True):
                value.copy_(saved)
            self.steps = state["step"]
        return self.steps


@contextlib.contextmanager
def flushed_denormals() -> Iterator[None]:
    """Let this thread take denormal numbers, which are slow on a CPU, for 0; afterwards as a process begins: not."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def autocast(device: str, precision: str):
    """Return the mixed-precision context of ``precision`` (fp32, bf16 or fp16) on a device.

    Casts are not kept from one use to the next: each weight is used once a step, and a CUDA graph must hold its own.
    """
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    kind = torch.device(device).type
    return torch.autocast(kind, dtype, enabled=precision != "fp32", cache_enabled=kind != "cuda")
