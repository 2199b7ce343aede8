"""The time saved by computing a frozen encoder's features once, against a loop that runs it at every step.

    python benchmarks/features.py

The reference recipe: VGG16 at 224 by 224, its decoder, 10,000 photographs, 100 epochs. A step of each loop is timed
on random pictures; reading photographs from disk costs both loops the same once, and the naive loop again in every
epoch.
"""

from pathlib import Path

import numpy as np
import torch
from _tools import best_seconds, print_table

from photochrom.training.config import TrainingConfig
from photochrom.training.data.batches import Batch
from photochrom.training.data.feature_cache import FeatureCache
from photochrom.training.memory import keep_memory
from photochrom.training.networks.colorization import new_head
from photochrom.training.networks.compilation import compiled
from photochrom.training.networks.encoders import VGG16
from photochrom.training.processes import launch
from photochrom.training.recipes import REFERENCE
from photochrom.training.train import Trainer

PHOTOGRAPHS, EPOCHS = REFERENCE.photographs, REFERENCE.epochs


def main() -> None:
    keep_memory()
    torch.manual_seed(0)
    batch, size = REFERENCE.batch, REFERENCE.size
    encoder = VGG16().eval().requires_grad_(False)
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    fabric = launch(TrainingConfig(".", Path(), resume=True))
    trainer = Trainer(fabric, REFERENCE, new_head(encoder, None), None, PHOTOGRAPHS)
    cache = FeatureCache(np.empty(0), np.empty(0), (), np.empty(0))  # features go through it as they are
    pictures, chroma = torch.rand(batch, 1, size, size), torch.zeros(batch, 2, size // 4, size // 4)
    unseen = torch.zeros(batch, 1, 0, 0)

    def naive() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            maps = encoder(pictures)
        trainer.update(cache, Batch([m.float() for m in maps], chroma, unseen))

    with torch.no_grad():
        maps = encoder(pictures[:1])
    embeddings = [m.expand(batch, -1, -1, -1).contiguous(memory_format=torch.channels_last) for m in maps]
    run = compiled(encoder, pictures[:1])
    one = pictures[:1].numpy()
    naive_rate = batch / best_seconds(naive, 3)
    cached_rate = batch / best_seconds(lambda: trainer.update(cache, Batch(embeddings, chroma, unseen)), 5)
    once_rate = 1 / best_seconds(lambda: run(one), 10)
    naive_hours = PHOTOGRAPHS * EPOCHS / naive_rate / 3600
    once_hours = PHOTOGRAPHS / once_rate / 3600
    decoder_hours = PHOTOGRAPHS * EPOCHS / cached_rate / 3600
    cached = once_hours + decoder_hours
    print_table(
        ["loop", "photographs/s", f"{PHOTOGRAPHS:,} x {EPOCHS:g}"],
        [
            ["naive: encoder at every step (PyTorch, bf16)", f"{naive_rate:.1f}", f"{naive_hours:.1f} h"],
            ["features once (OpenVINO)", f"{once_rate:.1f}", f"{once_hours:.2f} h"],
            ["decoder on cached features (PyTorch, bf16)", f"{cached_rate:.0f}", f"{decoder_hours:.2f} h"],
            ["cached, in all", "", f"{cached:.2f} h, {naive_hours / cached:.0f} times as fast"],
        ],
    )


if __name__ == "__main__":
    main()
