"""Trains the UNet and the text encoder of toy-latent on encoded pictures.

The UNet predicts v = √ᾱ·ε − √(1 − ᾱ)·x₀ under Stable Diffusion's scaled-linear schedule. One prompt in ten is empty,
which makes classifier-free guidance possible. With ``--guidance`` a second training follows: the network learns to give
in one call what the first one gives in two calls with that guidance (guidance distillation, Meng et al., 2210.03142),
so that the shipped model samples in half the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, multiprocessing, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

from .encode_latents import load_latents
from .pictures import LABELS, TRAIN_SEED
from .training import Average, Budget, Log, load_weights, save_weights
from .vocabulary import LENGTH, TEMPLATES, build_tokenizer

WIDTH = 64
EMPTY = len(LABELS)


class Denoiser(nn.Module):
    """The text encoder and the UNet, trained as one."""

    tokens: Tensor

    def __init__(self) -> None:
        super().__init__()
        tokenizer = build_tokenizer()
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=WIDTH,
                intermediate_size=2 * WIDTH,
                projection_dim=WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=LENGTH,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            block_out_channels=(48, 64, 96),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # in diffusers' wording the number of heads
            norm_num_groups=8,
        )
        prompts = [*(TEMPLATES[0].format(label) for label in LABELS), ""]
        padded = tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt")
        self.register_buffer("tokens", padded["input_ids"], persistent=False)

    def forward(self, noisy: Tensor, times: Tensor, labels: Tensor) -> Tensor:
        """Predicts v.

        Args:
            noisy: Noised latents, shape (count, 4, 16, 16).
            times: Their steps of the schedule, 0 to 999, shape (count,).
            labels: Class numbers, shape (count,); ``EMPTY`` for the empty prompt.
        """
        words = self.text(self.tokens).last_hidden_state[labels]
        return self.unet(noisy, times, encoder_hidden_states=words).sample


def build_scheduler(**changes: object) -> DDIMScheduler:
    """Stable Diffusion's schedule."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        **changes,
    )


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


def train(worker: int, exchange: Exchange, arguments: argparse.Namespace) -> None:
    """One worker's training, on one thread. The first worker also averages over time, logs and saves."""
    torch.set_num_threads(1)
    torch.backends.mkldnn.conv.fp32_precision = "bf16"  # type: ignore[attr-defined]
    torch.manual_seed(0)
    model = Denoiser().to(memory_format=torch.channels_last)
    teacher = Denoiser().to(memory_format=torch.channels_last).eval()
    if arguments.resume:
        load_weights(model, arguments.resume)
        load_weights(teacher, arguments.resume)
    generator = torch.Generator().manual_seed(TRAIN_SEED + 3 + worker)
    latents = load_latents(arguments.latents)
    signal = build_scheduler().alphas_cumprod
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=arguments.rate, weight_decay=0.01, betas=(0.9, 0.99), fused=True
    )
    average = Average(model, arguments.decay)
    log = Log(arguments.log)
    budget = Budget(arguments.minutes)
    count, batch = len(latents["labels"]), arguments.batch
    seen = [0] * arguments.workers
    running = 1.0
    for step in budget.steps(optimizer, arguments.rate):
        chosen = torch.randint(count, (batch,), generator=generator)
        clean = latents["mean"][chosen].float()
        noise = torch.randn(clean.shape, generator=generator)
        # Times in strata: each batch covers the whole schedule evenly.
        places = (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
        times = (places * len(signal)).long()
        kept, lost = signal[times].sqrt().view(-1, 1, 1, 1), (1 - signal[times]).sqrt().view(-1, 1, 1, 1)
        noisy = (kept * clean + lost * noise).contiguous(memory_format=torch.channels_last)
        dropped = torch.rand(batch, generator=generator) < 0.1
        labels = latents["labels"][chosen].masked_fill(dropped, EMPTY)
        target = kept * noise - lost * clean
        if arguments.guidance > 1:
            with torch.no_grad():
                without = teacher(noisy, times, torch.full_like(labels, EMPTY))
                target = without + arguments.guidance * (teacher(noisy, times, labels) - without)
        loss = functional.mse_loss(model(noisy, times, labels), target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % arguments.exchange == 0:
            exchange.average(worker, model, seen)
        if worker:
            continue
        average.update(model)
        running += (loss.item() - running) * max(0.005, 1 / (step + 1))
        if step % 200 == 0:
            log(step=step, progress=budget.progress, loss=running, exchanges=str(seen))
        if step % 1000 == 999:
            save_weights(average.values, arguments.out)
    if not worker:
        save_weights(average.values, arguments.out)
        log(done=step, loss=running)


def main() -> None:
    """Trains, and writes the averaged weights now and then."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--latents", type=Path, required=True, help="folder of latents")
    parser.add_argument("--out", type=Path, required=True, help="averaged weights, a .safetensors file")
    parser.add_argument("--log", type=Path, required=True, help="a .jsonl file")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--workers", type=int, default=2, help="processes of one thread each")
    parser.add_argument("--exchange", type=int, default=8, help="steps between two averagings of the workers' weights")
    parser.add_argument("--batch", type=int, default=32, help="of each worker")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--decay", type=float, default=0.9995, help="of the averaged weights")
    parser.add_argument("--resume", type=Path, help="weights to start from")
    parser.add_argument("--guidance", type=float, default=1.0, help="above 1: learn the guided prediction of --resume")
    arguments = parser.parse_args()
    exchange = Exchange(arguments.workers, sum(weight.numel() for weight in Denoiser().parameters()))
    multiprocessing.start_processes(train, (exchange, arguments), nprocs=arguments.workers, start_method="spawn")


if __name__ == "__main__":
    main()
