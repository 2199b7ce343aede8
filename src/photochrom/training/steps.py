"""The part of a training step that follows the loss: gradient, AdamW, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer


def compute_gradient(fabric: Fabric, network: nn.Module, optimizer: Optimizer, loss: Tensor) -> Tensor:
    """Compute the gradient of a loss, clip it to norm 1, and return its norm before that, a scalar.

    A finite loss can have a gradient that is not finite, so callers check both before ``change_weights``.
    """
    optimizer.zero_grad()
    fabric.backward(loss)
    return nn.utils.clip_grad_norm_(network.parameters(), 1.0)


def change_weights(
    network: nn.Module, optimizer: Optimizer, ema: Mapping[str, Tensor], learning_rate: float, decay: float, step: int
) -> None:
    """Change the weights of a network by their gradient, and update their EMA.

    Args:
        network: The network, which has a gradient.
        optimizer: Its optimizer, whose groups have a ``relative_rate``.
        ema: EMA of its weights, by their names.
        learning_rate: Learning rate of a group with a relative rate of 1.
        decay: See ``update_ema``.
        step: Number of this step, from 1 on.
    """
    for group in optimizer.param_groups:
        group["lr"] = group["relative_rate"] * learning_rate
    optimizer.step()
    update_ema(ema, network, decay, step)


def update_ema(ema: Mapping[str, Tensor], network: nn.Module, decay: float, step: int) -> None:
    """Update the EMA of a network's weights in place; the decay is lower in early steps, and 0 copies the weights."""
    decay = min(decay, (1 + step) / (10 + step)) if decay else 0.0
    for name, value in network.state_dict().items():
        ema[name].lerp_(value, 1 - decay)
