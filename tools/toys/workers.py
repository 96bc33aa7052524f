"""The loop that the trainings of the diffusion models share: workers of one thread each that average their weights."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, multiprocessing, nn

from .training import Average, Budget, Log, save_weights

LOG_EVERY = 100
SAVE_EVERY = 500


class Exchange:
    """Lets workers average their weights without ever waiting for each other (local SGD).

    Each worker publishes its weights in a row of shared memory and takes in the rows that are new since it last looked.
    A worker that the machine holds up is left out until it has something new.

    Args:
        workers: How many.
        size: Number of weights.
    """

    def __init__(self, workers: int, size: int) -> None:
        self.rows = torch.zeros(workers, size).share_memory_()
        self.counts = torch.zeros(workers, dtype=torch.int64).share_memory_()

    @torch.no_grad()
    def average(self, worker: int, module: nn.Module, seen: list[int]) -> None:
        """Publishes a worker's weights, then sets them to the mean of its own and the others' new ones.

        Args:
            worker: The worker's number.
            module: Its model, changed in place.
            seen: Each worker's count at the last call, changed in place.
        """
        weights = list(module.parameters())
        own = torch.cat([weight.reshape(-1) for weight in weights])
        self.rows[worker] = own
        self.counts[worker] += 1
        counts = self.counts.tolist()
        fresh = [other for other, count in enumerate(counts) if other != worker and count > seen[other]]
        seen[:] = counts
        if fresh:
            mean = (own + self.rows[fresh].sum(dim=0)) / (1 + len(fresh))
            place = 0
            for weight in weights:
                weight.copy_(mean[place : place + weight.numel()].view_as(weight))
                place += weight.numel()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that `fit` and `start` read."""
    parser.add_argument("--out", type=Path, required=True, help="averaged weights, a .safetensors file")
    parser.add_argument("--log", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--exchange", type=int, default=8, help="steps between two averagings of the workers' weights")
    parser.add_argument("--batch", type=int, default=32, help="of each worker")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=0.9995, help="of the averaged weights")
    parser.add_argument("--resume", type=Path, help="weights to start from")


def start(train: Callable[..., None], model: nn.Module, arguments: argparse.Namespace) -> None:
    """Starts the workers and waits for them.

    Args:
        train: A module's function, called in each worker with its number, the `Exchange` and the arguments; it
            calls `fit`.
        model: One like those that the workers train, for the number of its weights.
        arguments: Those of `add_options`.
    """
    exchange = Exchange(arguments.workers, sum(weight.numel() for weight in model.parameters()))
    multiprocessing.start_processes(train, (exchange, arguments), nprocs=arguments.workers, start_method="spawn")


def fit(
    worker: int, exchange: Exchange, arguments: argparse.Namespace, model: nn.Module, draw_loss: Callable[[], Tensor]
) -> None:
    """One worker's training. The first worker also averages over time, logs and saves.

    Args:
        worker: Its number, from 0.
        exchange: Of all workers.
        arguments: Those of `add_options`.
        model: What is trained, in place.
        draw_loss: The loss of a batch that it draws, a number.
    """
    torch.set_num_threads(1)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=arguments.rate, weight_decay=0.01, betas=(0.9, 0.99), fused=True
    )
    average = Average(model, arguments.decay)
    log = Log(arguments.log)
    budget = Budget(arguments.minutes)
    seen = [0] * arguments.workers
    running = 1.0
    for step in budget.steps(optimizer, arguments.rate):
        loss = draw_loss()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % arguments.exchange == 0:
            exchange.average(worker, model, seen)
        if worker:
            continue
        average.update(model)
        running += (loss.item() - running) * max(0.005, 1 / (step + 1))
        if step % LOG_EVERY == 0:
            log(step=step, progress=budget.progress, loss=running, exchanges=str(seen))
        if step % SAVE_EVERY == SAVE_EVERY - 1:
            save_weights(average.values, arguments.out)
    if not worker:
        save_weights(average.values, arguments.out)
        log(done=step, loss=running)
