"""Gradient descent of one network: the optimizer, its schedule, clipping, mixed precision and the moving average."""

from collections.abc import Callable

import torch


class Descent:
    """All that changes from step to step, so that a checkpoint is one dict: see ``state_dict`` and ``resume``.

    ``rate`` is the factor of the learning rate at a step, ``clip`` the largest norm of the gradient (None: no limit),
    ``ema_decay`` the decay per step of the average of the weights (None: no average), warmed up as
    min(decay, (1 + t) / (10 + t)).
    """

    def __init__(
        self, network, optimizer, rate: Callable[[int], float], clip: float | None, ema_decay: float | None,
        precision: str, device: str,
    ):  # fmt: skip
        self.network, self.optimizer, self.clip, self.ema_decay = network, optimizer, clip, ema_decay
        self.parameters = list(network.parameters())
        self.average = [p.detach().clone() for p in self.parameters] if ema_decay else []
        self.schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=precision == "fp16")
        self.autocast = autocast(device, precision)
        self.steps = 0

    def step(self, loss_of_batch: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Take one step along the gradient of ``loss_of_batch()`` and return the loss, on the device."""
        with self.autocast:
            loss = loss_of_batch()
        self.scaler.scale(loss).backward()
        if self.clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        if self.average:
            decay = min(self.ema_decay, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(self.average, [p.detach() for p in self.parameters], 1 - decay)
        return loss

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


def autocast(device: str, precision: str):
    """Return the mixed-precision context of ``precision`` (fp32, bf16 or fp16) on a device."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    return torch.autocast(torch.device(device).type, dtype, enabled=precision != "fp32")
