# SPDX-License-Identifier: Apache-2.0
"""Training of the study's networks: one-cycle SGD, augmentation, resume.

A checkpoint is written after every epoch; a killed run continues from it and ends with the same
weights, because each epoch's shuffle and augmentation are drawn from the seed and the epoch's
number alone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from axhil.emulation.errors import EmulationError
from axhil.hwsim.files import write_atomically

from .data import Images, embedded_hashes, load
from .networks import network
from .weights import own_state, read_torch, save_state, sha256_of


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        data: training set, see `data.load`.
        epochs: passes over it.
        batch: images a step.
        peak_lr: top of the one-cycle schedule (Smith and Topin 2018).
        weight_decay: L2 penalty of SGD.
        shift: largest random translation, pixels; the border is filled with zeros.
        flip: mirror half of the images left to right.
        label_smoothing: of the cross-entropy.
        bfloat16: multiply in bfloat16 on processors that can, too.
    """

    data: str
    epochs: int
    batch: int
    peak_lr: float
    weight_decay: float
    shift: int
    flip: bool
    label_smoothing: float = 0.0
    bfloat16: bool = False


RECIPES = {
    "lenet5": Recipe("mnist", 30, 128, 0.1, 5e-4, shift=2, flip=False),
    "resnet20": Recipe("cifar10", 40, 128, 0.2, 5e-4, shift=4, flip=True, bfloat16=True),
    "resnet50": Recipe("cifar10", 100, 128, 0.1, 5e-4, shift=4, flip=True, label_smoothing=0.1),
    "vgg19": Recipe("cifar10", 100, 128, 0.05, 5e-4, shift=4, flip=True, label_smoothing=0.1),
}


Harder = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int], torch.Tensor]
"""Images (N, C, H, W) in [0, 1], labels, their places in the training set, epoch: to images."""


@dataclass(frozen=True)
class EpochReport:
    """What an epoch did: mean training loss, accuracy on the test split (0 to 1)."""

    epoch: int
    epochs: int
    loss: float
    test_accuracy: float


def training_images(recipe: Recipe, root: Path | None, *, download: bool = False) -> Images:
    """Read a recipe's training split; MNIST's comes without the 5,000 embedded images."""
    images = load(recipe.data, "train", root=root, download=download)
    if recipe.data != "mnist":
        return images
    held_out = embedded_hashes()
    keep = [hashlib.sha256(p.tobytes()).digest() not in held_out for p in images.pixels]
    (positions,) = np.nonzero(np.array(keep))
    removed = len(images) - len(positions)
    if removed != len(held_out):
        raise EmulationError(
            f"expected to find the {len(held_out)} embedded images in {images.name}, found "
            f"{removed}: is it MNIST?"
        )
    return images.subset(positions)


def augment(
    images: torch.Tensor, *, shift: int, flip: bool, generator: torch.Generator
) -> torch.Tensor:
    """Translate each image by up to `shift` pixels and mirror half of them.

    Args:
        images: (N, C, H, W), any dtype and device.
        shift: largest translation along each axis; what moves in is zero.
        flip: mirror left to right with probability one half.
        generator: a CPU generator, so that every device sees the same draw.

    Returns:
        (N, C, H, W) of the same dtype.
    """
    n, _, h, w = images.shape
    padded = F.pad(images, (shift, shift, shift, shift))
    top, left = torch.randint(0, 2 * shift + 1, (2, n, 1), generator=generator)
    rows = (top + torch.arange(h)).to(images.device)  # (N, H)
    columns = left + torch.arange(w)  # (N, W)
    if flip:
        mirrored = torch.rand(n, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns.to(images.device)
    batch = torch.arange(n, device=images.device)[:, None, None]
    # Advanced indices around a slice put the channel last: (N, H, W, C).
    moved = padded[batch, :, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()


@torch.no_grad()
def accuracy(model: nn.Module, images: Images, *, batch: int = 500) -> float:
    """Fraction of images a model classifies correctly, 0 to 1."""
    device = next(model.parameters()).device
    model.eval()
    right = 0
    for x, y in images.batches(batch, device=device):
        right += int((model(x).argmax(1) == y).sum())
    return right / len(images)


def _schedule(recipe: Recipe, steps_per_epoch: int, optimizer: torch.optim.Optimizer) -> Any:
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=recipe.peak_lr,
        total_steps=recipe.epochs * steps_per_epoch,
        pct_start=0.2,
        cycle_momentum=False,
    )


def checkpoint_of(out: Path) -> Path:
    """Where the state of a training is while it runs, that writes its weights to a file."""
    return out.with_name(out.name + ".checkpoint")


def _save_checkpoint(path: Path, **state: Any) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def _resumed(
    checkpoint: Path, settings: Mapping[str, Any], parts: Mapping[str, Any]
) -> tuple[int, float]:
    """Puts model, optimizer and schedule back: the epochs that are done, and the test accuracy."""
    state = read_torch(checkpoint, what="the checkpoint")
    if not isinstance(state, dict) or state.get("settings") != settings:
        raise EmulationError(
            f"{checkpoint} belongs to a training with other settings; remove it to start anew"
        )
    try:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        return int(state["epochs_done"]), float(state["test_accuracy"])
    except Exception as error:  # torch checks little of what it is given
        reason = str(error).partition("\n")[0]
        raise EmulationError(
            f"{checkpoint} is damaged ({reason:.200}); remove it to start anew"
        ) from error


def fit(
    model: nn.Module,
    recipe: Recipe,
    images: Images,
    test: Images,
    *,
    checkpoint: Path,
    settings: Mapping[str, Any],
    seed: int = 0,
    device: str = "cpu",
    mixed: bool = False,
    parameters: Any = None,
    harder: Harder | None = None,
    after_epoch: Callable[[], None] | None = None,
    report: Callable[[EpochReport], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> float:
    """The loop of every training: one-cycle SGD, from the last finished epoch of a checkpoint.

    Args:
        model: trained in place.
        recipe: how.
        images: the training set.
        test: what every epoch ends with.
        checkpoint: file of the state after the last finished epoch; the caller removes it.
        settings: all that the result depends on; a checkpoint of others is refused.
        seed: of the shuffles and the augmentation.
        device: where.
        mixed: multiply in bfloat16.
        parameters: what an optimizer takes; None for all of the model's.
        harder: turns a batch into one that is harder to classify.
        after_epoch: called before an epoch is tested.
        report: called after every epoch.
        progress: called with (images done, images in all).

    Returns:
        Accuracy on the test images, 0 to 1.

    Raises:
        EmulationError: a checkpoint of another training, fewer images than a batch, or a loss
            that is not finite.
    """
    steps = len(images) // recipe.batch
    if not steps:
        raise EmulationError(
            f"expected at least a batch of {recipe.batch} images to train on, got {len(images)}"
        )
    optimizer = torch.optim.SGD(
        model.parameters() if parameters is None else parameters,
        lr=1.0,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay,
    )
    schedule = _schedule(recipe, steps, optimizer)
    first, score = 0, 0.0
    if checkpoint.is_file():
        parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
        first, score = _resumed(checkpoint, settings, parts)
    pixels = torch.from_numpy(images.pixels).to(device)
    labels = torch.from_numpy(images.labels).to(device)
    for epoch in range(first, recipe.epochs):
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(len(images), generator=generator).to(device)
        model.train()
        total = torch.zeros((), device=device)
        for step in range(steps):
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
            x = augment(pixels[rows], shift=recipe.shift, flip=recipe.flip, generator=generator)
            x = x.to(torch.float32) / 255.0
            if harder is not None:
                x = harder(x, labels[rows], rows, epoch)
            with torch.autocast(device, dtype=torch.bfloat16, enabled=mixed):
                logits = model(x)
            loss = F.cross_entropy(
                logits.float(), labels[rows], label_smoothing=recipe.label_smoothing
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
            if progress is not None:
                progress(
                    (epoch * steps + step + 1) * recipe.batch, recipe.epochs * steps * recipe.batch
                )
        if not bool(torch.isfinite(total)):
            raise EmulationError(
                f"the loss of epoch {epoch + 1} is not finite; train with a lower peak learning "
                f"rate than {recipe.peak_lr:g}"
            )
        if after_epoch is not None:
            after_epoch()
        score = accuracy(model, test)
        _save_checkpoint(
            checkpoint,
            settings=settings,
            model=model.state_dict(),
            optimizer=optimizer.state_dict(),
            schedule=schedule.state_dict(),
            epochs_done=epoch + 1,
            test_accuracy=score,
        )
        if report is not None:
            report(EpochReport(epoch + 1, recipe.epochs, float(total) / steps, score))
    return score


@torch.random.fork_rng()  # layers draw from torch's own generator alone: the caller's goes on
def train(
    name: str,
    *,
    recipe: Recipe | None = None,
    images: Images | None = None,
    out: Path,
    root: Path | None = None,
    seed: int = 0,
    device: str = "cpu",
    report: Callable[[EpochReport], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train a network and write its weights.

    Mixed precision (bfloat16) is used on CUDA, and where a recipe has it on a
    processor that multiplies it. `<out>.checkpoint` holds the state after the last
    finished epoch and is removed at the end.

    Args:
        name: a network with a recipe.
        recipe: None for the network's own.
        images: the training set; None reads the recipe's.
        out: the safetensors file to write.
        root: data folder.
        seed: of the initial weights, the shuffles and the augmentation.
        device: ``cpu`` or ``cuda``.
        report: called after every epoch.
        progress: called with (images done, images in all).

    Returns:
        The record of the training: recipe, seed, accuracy, hashes, versions.

    Raises:
        EmulationError: no recipe of that name, no data, a checkpoint of another run.
    """
    if name not in RECIPES and recipe is None:
        raise EmulationError(f"no recipe for {name!r}: expected {', '.join(RECIPES)}")
    recipe = recipe or RECIPES[name]
    train_set = training_images(recipe, root) if images is None else images
    test_set = load(recipe.data, "test", root=root)
    torch.manual_seed(seed)
    model = network(name).build().to(device)
    checkpoint = checkpoint_of(out)
    settings = {"network": name, "recipe": asdict(recipe), "seed": seed}
    mixed = device != "cpu" or (recipe.bfloat16 and torch.cpu._is_avx512_bf16_supported())
    if mixed:
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this overload
    score = fit(
        model,
        recipe,
        train_set,
        test_set,
        checkpoint=checkpoint,
        settings=settings,
        seed=seed,
        device=device,
        mixed=mixed,
        report=report,
        progress=progress,
    )
    save_state(out, model, metadata={"network": name})
    checkpoint.unlink(missing_ok=True)
    return {
        **settings,
        "train_images": len(train_set),
        "train_sha256": train_set.sha256,
        "test_images": len(test_set),
        "test_sha256": test_set.sha256,
        "test_accuracy": score,
        "weights_sha256": sha256_of(own_state(model)),
        "torch": torch.__version__,
        "device": device,
    }
