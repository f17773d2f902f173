"""Compute the features of samples: what the backbone returns, before the head."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from fedssl.ahead import ahead, steps_ahead
from fedssl.evaluation.protocols import Features
from fedssl.views.bank_views import Views

_BATCH = 256


def extract_features(
    backbone: nn.Module, views: Views, indices: np.ndarray, *, device: torch.device
) -> Tensor:
    """Return the features of samples in their plain view, (len(indices), num_features) float32.

    Batch norm uses its running statistics. The backbone is moved to `device`.
    """
    return extract_each([backbone], views, indices, device=device)[0]


@torch.inference_mode()
def extract_each(
    backbones: Sequence[nn.Module], views: Views, indices: np.ndarray, *, device: torch.device
) -> list[Tensor]:
    """Return `extract_features` of each backbone; a view is made once for all of them."""
    # Convolutions are faster with channels last.
    ready = [b.to(device).to(memory_format=torch.channels_last).eval() for b in backbones]  # type: ignore[call-overload]
    parts: list[list[Tensor]] = [[] for _ in ready]
    starts = range(0, len(indices), _BATCH)
    with _plain_views(views, indices, starts, device=device) as batches:
        for inputs in batches:
            for own, backbone in zip(parts, ready, strict=True):
                own.append(backbone(inputs).float())
    # Join and free one backbone's parts at a time, so that there are never two copies of all.
    return [torch.cat(parts.pop(0)) for _ in backbones]


def task_features(
    backbone: nn.Module, views: Views, split: str, *, recalibrate: bool, device: torch.device
) -> Features:
    """Return the features of a task: the training split as memory, and `split` as queries."""
    (found,) = features_by_split([backbone], views, [split], recalibrate=recalibrate, device=device)
    return found[split]


def features_by_split(
    backbones: Sequence[nn.Module],
    views: Views,
    splits: Sequence[str],
    *,
    recalibrate: bool,
    device: torch.device,
) -> list[dict[str, Features]]:
    """Return `task_features` of each backbone by split; splits share those of the memory."""
    bank, train = views.bank, views.bank.indices("train")
    if recalibrate:
        for backbone in backbones:
            recalibrate_batch_norm(backbone, views, train, device=device)
    places = {split: bank.indices(split) for split in splits}
    memories = extract_each(backbones, views, train, device=device)
    queries = {s: extract_each(backbones, views, i, device=device) for s, i in places.items()}
    labels = {s: torch.from_numpy(bank.labels[i]).to(device) for s, i in places.items()}
    memory_labels = torch.from_numpy(bank.labels[train]).to(device)
    return [
        {
            split: Features(
                memory=memory,
                memory_labels=memory_labels,
                queries=queries[split][place],
                query_labels=labels[split],
                num_classes=len(bank.classes),
            )
            for split in splits
        }
        for place, memory in enumerate(memories)
    ]


def memory_and_queries(
    backbone: nn.Module,
    views: Views,
    train: np.ndarray,
    scored: np.ndarray,
    *,
    recalibrate: bool,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Return the features of training samples and of scored samples.

    `train` and `scored` are positions in the bank. With `recalibrate`, batch norm first takes its
    statistics from the training samples.
    """
    if recalibrate:
        recalibrate_batch_norm(backbone, views, train, device=device)
    memory = extract_features(backbone, views, train, device=device)
    return memory, extract_features(backbone, views, scored, device=device)


def recalibrate_batch_norm(
    backbone: nn.Module, views: Views, indices: np.ndarray, *, device: torch.device
) -> None:
    """Set the running statistics of batch norm to their mean over batches of these samples.

    A backbone without batch norm does not change.
    """
    # Each batch of pretraining has one modality, and the running statistics of an encoder of both
    # are a mixture of the two. Recalibration gives those of one modality.
    backbone.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # "- 1" leaves out a last batch of one sample, which has no standard deviation.
    starts = range(0, len(indices) - 1, _BATCH)
    with _plain_views(views, indices, starts, device=device) as batches:
        update_bn(batches, backbone)


@contextmanager
def _plain_views(
    views: Views, indices: np.ndarray, starts: Iterable[int], *, device: torch.device
) -> Iterator[Iterator[Tensor]]:
    """Give the plain views of the batches that begin at `starts`, read ahead of a GPU."""
    samples = (views.read_plain(indices[start : start + _BATCH]) for start in starts)
    with ahead(samples, depth=steps_ahead(device)) as batches:
        yield map(views.render_plain, batches)


def load_backbone(state: Mapping[str, Tensor], encoder: nn.Module) -> nn.Module:
    """Load the `backbone.` tensors of a state dict into an encoder; return its backbone."""
    # The head is not loaded, because no protocol uses it.
    backbone: nn.Module = encoder.backbone  # type: ignore[assignment]
    prefix = "backbone."
    own: dict[str, Any] = {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }
    backbone.load_state_dict(own)
    return backbone
