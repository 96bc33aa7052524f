"""Accelerators that are not there: tensors that say "cuda", computed on the CPU.

Code that is written for a GPU runs on a machine without one, and what a GPU would do to it can be looked at:

    with PretendedDevices(memory=2**30) as gpus:
        ...                              # the whole product, with the device "cuda"
    print(gpus.waits.most_common())

Every tensor of a device has its values on the CPU, and every operator is the CPU's: pictures are those of the CPU, bit
for bit, but where a library chooses another way by the kind of device. What is shown:

- **what a GPU refuses**: tensors of two devices in one operator (a single number of the CPU may stand beside those of a
  device), a CPU generator for a draw on the device, `numpy()` of a tensor that lies there, a device that is not there.
- **where a GPU is waited for** (`waits`, by line): a result that Python has to know, a copy to the CPU, and a copy from
  the CPU that is not `non_blocking`. What is copied to the CPU without waiting reads as rubbish (`UNREAD`) until
  something waits in the same thread: who reads it too early gets wrong pictures here, every time, not now and then.
- **who asks for operators** (`operators`, see `Asker`), and who makes float64 on the device (`doubles`, by line).
- **memory**: the live storages of each device (`used`, `peak`), a limit of them (`memory`), and out of memory at one
  chosen allocation (`fail_at`, counted from 0 by `allocations`).

What is *not* shown: time, and so whether waiting costs anything; values of a real GPU's kernels, which sum in another
order; what its libraries need for themselves, fragments of memory, and that a kernel may fail long after it was asked
for; work of two streams on one tensor, as everything is done at once; compiled and captured graphs; kernels that a
library writes itself (Triton, custom C++); generators on a device; what a driver does to a process when it fails.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import linecache
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

aten = torch.ops.aten

UNREAD = 0xA5
"""Each byte of what was copied to the CPU without waiting, until something waits."""

# A GPU has to be done with all that was asked of it before Python can know these.
_ANSWERS = {
    aten._local_scalar_dense.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten._unique2.default,
    aten.unique_dim.default,
    aten.unique_consecutive.default,
}
# Their indices may lie on the CPU, from where they are copied; where they are truth values, their count is asked for.
_INDEXED = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default}
_COPIES = (aten._to_copy.default, aten.copy_.default)
_DOUBLE = (torch.float64, torch.complex128)


class DeviceTensor(torch.Tensor):
    """A tensor of a pretended device; its values are `near`, on the CPU."""

    near: torch.Tensor

    @staticmethod
    def __new__(cls, near: torch.Tensor, device: torch.device) -> DeviceTensor:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            layout=near.layout,
            device=device,
            requires_grad=False,
        )
        made.near = near
        return made

    def __init__(self, near: torch.Tensor, device: torch.device) -> None:
        """See `__new__`."""

    def __repr__(self, **_: Any) -> str:
        return f"DeviceTensor({self.near!r}, {self.device})"

    def numpy(self, **_: Any) -> Any:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() first.")

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.numpy()

    def __deepcopy__(self, _: Any) -> torch.Tensor:
        return self.clone()

    def data_ptr(self) -> int:
        return self.near.data_ptr()

    def tolist(self) -> Any:
        _current()._wait(_Asked.now())
        return self.near.tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _current()._run(func, args, kwargs or {})


# Who asks ---------------------------------------------------------------------------------------------------------

Asker = str
"""Who asks for an operator: `model` (denoiser, decoder, pipeline and sampler), `text encoder`, `scorer` (its network),
or `ours`: all else, such as checks, preparation for a scorer, and what is done to pictures."""

_NETWORKS = {
    "/diffusers/models/": "model",
    "/transformers/models/": "text encoder",
    "/transformers/": "library",
    "/pytest_seedshift/models/glide/text.py": "text encoder",
    "/open_clip/": "text encoder",
    "/timm/": "text encoder",
}


class _Asked:
    """The line that asks for something, and whose it is."""

    def __init__(self, who: Asker, file: str, number: int) -> None:
        self.who, self._file, self._number = who, file, number

    def __str__(self) -> str:
        place = self._file.split("site-packages/")[-1]
        place = place[place.rfind("pytest_seedshift/") :] if "/pytest_seedshift/" in place else place
        return f"{place}:{self._number} {linecache.getline(self._file, self._number).strip()[:80]}"

    @classmethod
    def now(cls) -> _Asked:
        """Of the call that is being made: the innermost frame that is neither torch's nor of this file."""
        frame, first, network = sys._getframe(1), None, ""
        while frame is not None:
            kind = _kind(frame.f_code.co_filename)
            if kind != "torch":
                first = first or (frame.f_code.co_filename, frame.f_lineno)
                if kind == "pipeline":
                    return cls(network or "model", *first)
                if kind == "scorer":
                    return cls("scorer" if network else "ours", *first)
                if kind == "ours":
                    return cls("ours", *first)
                if kind != "library":
                    network = network or kind
            frame = frame.f_back
        return cls(network or "test", *(first or ("?", 0)))


@cache
def _kind(file: str) -> str:
    """Whose a file is: `torch` (looked through), `pipeline`, `scorer`, `ours`, `library`, or of a network."""
    file = file.replace("\\", "/")
    if "/torch/" in file or file == __file__ or file.startswith("<"):
        return "torch"
    for part, kind in _NETWORKS.items():
        if part in file:
            return kind
    if "/diffusers/" in file or "/pytest_seedshift/models/glide/" in file:
        return "pipeline"
    if "/pytest_seedshift/scorers/" in file:
        return "scorer"
    return "ours" if "/pytest_seedshift/" in file and "/tests/" not in file else "library"


# The devices ------------------------------------------------------------------------------------------------------


class OutOfMemory(torch.OutOfMemoryError):
    """Of a pretended device; the class that torch raises."""


class PretendedDevices(TorchDispatchMode):
    """Some devices that are not there, while the context lasts; see the module."""

    def __init__(self, count: int = 1, *, memory: int | None = None, fail_at: int | None = None) -> None:
        """Pretend `count` devices of `memory` bytes each; None for no limit.

        `fail_at`: the allocation, counted from 0, at which memory does not suffice, once.
        """
        super().__init__(_dispatch_key=None)
        torch._C._ensureCUDADeviceGuardSet()  # torch's stand-in, which asks no driver, where there is none
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE  # so that torch itself does not look for a driver
        self.count, self.memory, self.fail_at = count, memory, fail_at
        self.current = 0
        self.used, self.peaks = [0] * count, [0] * count
        self._holders: Counter[tuple[int, int]] = Counter()
        self._unread: dict[int, list[tuple[torch.Tensor, torch.Tensor]]] = {}
        self._patches = pytest.MonkeyPatch()
        self._functions = _Functions()
        self._lock = threading.RLock()
        self.allocations = 0
        self.reset()

    def reset(self) -> None:
        """Count anew, from 0; tensors stay."""
        self.waits: Counter[tuple[Asker, str]] = Counter()
        self.beside: Counter[tuple[Asker, str]] = Counter()
        """Waits in other threads than the main one, counted in `waits` as well."""
        self.doubles: Counter[tuple[Asker, str]] = Counter()
        self.operators: Counter[Asker] = Counter()
        self.lines: Counter[str] = Counter()
        """Operators that are ours, by line."""

    def waits_of(self, who: Asker) -> int:
        """How often somebody waited."""
        return sum(count for (asker, _), count in self.waits.items() if asker == who)

    @property
    def peak(self) -> int:
        """The most bytes that were in use on one device."""
        return max(self.peaks)

    def __enter__(self) -> PretendedDevices:
        _stack.append(self)
        _patch(self._patches, self)
        self._functions.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._functions.__exit__(*error)
        self._patches.undo()
        _stack.remove(self)

    def device(self, wanted: Any) -> torch.device | None:
        """The pretended device that is meant; None for another kind.

        Raises:
            RuntimeError: it is not there.
        """
        if wanted is None:
            return None
        named = torch.device("cuda", wanted) if isinstance(wanted, int) else torch.device(wanted)
        if named.type != "cuda":
            return None
        index = self.current if named.index is None else named.index
        if index >= self.count:
            raise RuntimeError("CUDA error: invalid device ordinal (pretended)")
        return torch.device("cuda", index)

    def put(self, near: torch.Tensor, device: torch.device) -> DeviceTensor:
        """A tensor of the CPU as one of a device. The storage is shared: what is put is the device's from now on."""
        if near.dtype in _DOUBLE:
            asked = _Asked.now()
            self.doubles[asked.who, str(asked)] += 1
        key = (device.index, near.untyped_storage()._cdata)
        with self._lock:
            if not self._holders[key]:
                self._allocate(device.index, near.untyped_storage().nbytes())
            self._holders[key] += 1
        made = DeviceTensor(near, device)
        weakref.finalize(made, self._let_go, key, near.untyped_storage().nbytes())
        return made

    def _allocate(self, index: int, size: int) -> None:
        if size and self.fail_at is not None and self.allocations == self.fail_at:
            self.allocations += 1
            raise OutOfMemory(f"CUDA out of memory. Tried to allocate {size} bytes (pretended, at the chosen place)")
        if self.memory is not None and self.used[index] + size > self.memory:
            raise OutOfMemory(f"CUDA out of memory. Tried to allocate {size} bytes (pretended)")
        self.allocations += bool(size)
        self.used[index] += size
        self.peaks[index] = max(self.peaks[index], self.used[index])

    def _let_go(self, key: tuple[int, int], size: int) -> None:
        with self._lock:
            self._holders[key] -= 1
            if not self._holders[key]:
                del self._holders[key]
                self.used[key[0]] -= size

    def _wait(self, asked: _Asked) -> None:
        with self._lock:
            self.waits[asked.who, str(asked)] += 1
            if threading.current_thread() is not threading.main_thread():
                self.beside[asked.who, str(asked)] += 1
            self._arrive()

    def _arrive(self) -> None:
        """What this thread has copied without waiting is there."""
        for there, values in self._unread.pop(threading.get_ident(), ()):
            there.copy_(values)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self._run(func, args, kwargs or {})

    def _run(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        tensors: list[torch.Tensor] = []
        tree_map(lambda each: tensors.append(each) if isinstance(each, torch.Tensor) else None, (args, kwargs))
        far = [each for each in tensors if isinstance(each, DeviceTensor)]
        wanted = kwargs.get("device")
        home = self.device(wanted) if wanted is not None else far[0].device if far else None
        if func is aten.copy_.default:
            home = args[0].device if isinstance(args[0], DeviceTensor) else None
        if not far and home is None:
            return func(*args, **kwargs)
        asked = _Asked.now()
        self._refuse(func, tensors, home, kwargs)
        self.operators[asked.who] += 1
        if asked.who == "ours":
            self.lines[str(asked)] += 1
        given = dict(kwargs)
        if wanted is not None:
            given["device"] = torch.device("cpu") if home is not None else torch.device(wanted)
        with torch.overrides.enable_reentrant_dispatch() if any(each.near.requires_grad for each in far) else _NOTHING:
            result = func(*tree_map(_near, args), **tree_map(_near, given))
        if self._has_to_wait(func, args, kwargs, home):
            self._wait(asked)
        elif func is aten._to_copy.default and far and home is None:
            return self._on_its_way(result)
        homes = {id(each.near): each for each in far}

        def back(each: Any) -> Any:
            if not isinstance(each, torch.Tensor):
                return each
            return homes[id(each)] if id(each) in homes else each if home is None else self.put(each, home)

        return tree_map(back, result)

    def _refuse(self, func: Any, tensors: list[torch.Tensor], home: torch.device | None, kwargs: Any) -> None:
        """Raise what torch raises over what a GPU cannot do."""
        if func not in _COPIES:
            others = tensors[:1] if func in _INDEXED else tensors
            check_devices(func, others)
        generator = kwargs.get("generator")
        if generator is not None and home is not None and generator.device.type == "cpu":
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")

    @staticmethod
    def _has_to_wait(func: Any, args: Any, kwargs: Any, home: torch.device | None) -> bool:
        if func in _ANSWERS:
            return True
        if func in _INDEXED:
            indices = [each for each in args[1] if isinstance(each, torch.Tensor)]
            return any(
                each.dtype in (torch.bool, torch.uint8) or not isinstance(each, DeviceTensor) for each in indices
            )
        if func is aten._to_copy.default:
            crosses = isinstance(args[0], DeviceTensor) != (home is not None)
            return crosses and not kwargs.get("non_blocking")
        if func is aten.copy_.default:
            crosses = isinstance(args[0], DeviceTensor) != isinstance(args[1], DeviceTensor)
            return crosses and not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
        return False

    def _on_its_way(self, values: torch.Tensor) -> torch.Tensor:
        """What a copy to the CPU gives that nobody has waited for."""
        there = torch.empty_like(values)
        if there.numel():
            there.view(torch.uint8).fill_(UNREAD) if there.ndim else there.reshape(1).view(torch.uint8).fill_(UNREAD)
        with self._lock:
            self._unread.setdefault(threading.get_ident(), []).append((there, values.clone()))
        return there


def check_devices(func: Any, tensors: list[torch.Tensor]) -> None:
    """Make sure that tensors lie on one device; single numbers of the CPU may stand beside those of another.

    Raises:
        RuntimeError: they do not.
    """
    places = {str(each.device) for each in tensors if isinstance(each, DeviceTensor)}
    if places:
        places |= {"cpu" for each in tensors if not isinstance(each, DeviceTensor) and each.dim() > 0}
    if len(places) > 1:
        named = " and ".join(sorted(places, reverse=True))
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, {named}! ({func})"
        )


def _near(each: Any) -> Any:
    return each.near if isinstance(each, DeviceTensor) else each


_NOTHING = contextlib.nullcontext()
_stack: list[PretendedDevices] = []


def _current() -> PretendedDevices:
    if not _stack:
        raise RuntimeError("a tensor of a pretended device is used outside of PretendedDevices()")
    return _stack[-1]


# What torch decides before it asks for an operator ----------------------------------------------------------------


# These choose their kernel by the device.
_BY_DEVICE = (nn.functional.scaled_dot_product_attention, nn.functional.batch_norm)
_REQUIRES_GRAD = torch.Tensor.requires_grad.__get__  # type: ignore[attr-defined]


class _Functions(TorchFunctionMode):
    """What looks at the device, or at the values, before any operator is asked for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor, torch.asarray):
            return _make(func, args, kwargs)
        if func in (torch.Tensor.__getitem__, torch.Tensor.__setitem__) and isinstance(args[0], DeviceTensor):
            args = (args[0], tree_map(_listed, args[1], is_leaf=lambda each: isinstance(each, list)), *args[2:])
        if func in (torch.Tensor.requires_grad_, _REQUIRES_GRAD) and isinstance(args[0], DeviceTensor):
            found = func(_near(args[0]), *args[1:], **kwargs)  # gradients are those of the values
            return args[0] if func is torch.Tensor.requires_grad_ else found
        if func is torch.autograd.grad:
            found = func(*tree_map(_near, args), **kwargs)
            return tuple(_current().put(each, args[1][0].device) for each in found)
        if func in _BY_DEVICE:
            tensors = [each for each in [*args, *kwargs.values()] if isinstance(each, torch.Tensor)]
            far = [each for each in tensors if isinstance(each, DeviceTensor)]
            if far:
                check_devices(func, tensors)
                _current().operators[_Asked.now().who] += 1
                return _current().put(
                    func(*map(_near, args), **{name: _near(each) for name, each in kwargs.items()}), far[0].device
                )
        return func(*args, **kwargs)


def _listed(each: Any) -> Any:
    return torch.tensor(each) if isinstance(each, list) else each


def _make(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.tensor` and its kind: of Python's numbers, or of a tensor."""
    data, rest = (args[0], args[1:]) if args else (kwargs["data"], ())
    options = {name: each for name, each in kwargs.items() if name != "data"}
    if isinstance(data, torch.Tensor):
        given = {name: options[name] for name in ("device", "dtype") if options.get(name) is not None}
        return data.to(**given) if given else data
    device = _current().device(options.get("device"))
    if device is not None:
        options["device"] = torch.device("cpu")
    plain = tree_map(lambda each: each.item() if isinstance(each, torch.Tensor) else each, data)
    made = func(plain, *rest, **options)
    if device is None:
        return made
    _current()._wait(_Asked.now())  # of numbers in pageable memory torch waits until they are there
    return _current().put(made, device)


# The driver -------------------------------------------------------------------------------------------------------


class _Stream:
    """A stream or an event. All is done at once, so that only waiting for it counts."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.device = torch.device("cuda", _current().current)

    def wait_stream(self, *_: Any) -> None: ...
    def wait_event(self, *_: Any) -> None: ...
    def record(self, *_: Any) -> None: ...

    def record_event(self, *_: Any) -> _Stream:
        return self

    def query(self) -> bool:
        return True

    def synchronize(self) -> None:
        _current()._wait(_Asked.now())


class _Inner(TorchDispatchMode):
    """The devices, in another thread."""

    def __init__(self) -> None:
        super().__init__(_dispatch_key=None)
        self._mode_key = torch._C._TorchDispatchModeKey.FAKE

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _current()._run(func, args, kwargs or {})


def _patch(patches: pytest.MonkeyPatch, gpus: PretendedDevices) -> None:
    """Let torch answer for the pretended devices what it would ask a driver, and bring modules to them."""

    def index(device: Any = None) -> int:
        found = gpus.device("cuda" if device is None else device)
        return 0 if found is None else found.index

    total = gpus.memory or 2**40

    @contextlib.contextmanager
    def chosen(device: Any) -> Iterator[None]:
        before, gpus.current = gpus.current, index(device)
        try:
            yield
        finally:
            gpus.current = before

    answers: dict[str, Callable[..., Any]] = {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "device_count": lambda: gpus.count,
        "current_device": lambda: gpus.current,
        "set_device": lambda device: setattr(gpus, "current", index(device)),
        "device": chosen,
        "mem_get_info": lambda device=None: (max(0, total - gpus.used[index(device)]), total),
        "memory_allocated": lambda device=None: gpus.used[index(device)],
        "max_memory_allocated": lambda device=None: gpus.peaks[index(device)],
        "reset_peak_memory_stats": lambda device=None: None,
        "synchronize": lambda device=None: gpus._wait(_Asked.now()),
        "empty_cache": lambda: None,
        "ipc_collect": lambda: None,
        "get_device_name": lambda device=None: "Pretended GPU",
        "get_device_capability": lambda device=None: (9, 0),
        "is_bf16_supported": lambda *_, **__: True,
        "Stream": _Stream,
        "Event": _Stream,
        "current_stream": _Stream,
        "default_stream": _Stream,
        "stream": lambda *_: contextlib.nullcontext(),
    }
    for name, answer in answers.items():
        patches.setattr(torch.cuda, name, answer)
    submit = concurrent.futures.ThreadPoolExecutor.submit
    patches.setattr(
        concurrent.futures.ThreadPoolExecutor,
        "submit",
        lambda pool, work, /, *args, **kwargs: submit(pool, _within(work), *args, **kwargs),
    )
    # In inference mode no views of such tensors can be made; without gradients they compute the same.
    patches.setattr(torch.inference_mode, "__enter__", _without_gradients)
    patches.setattr(torch.inference_mode, "__exit__", _with_gradients_as_before)
    convert = nn.Module.to

    def to(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
        device = kwargs.get("device", next((each for each in args if _names_device(each)), None))
        there = gpus.device(device)
        if there is None and not _is_far(module):
            return convert(module, *args, **kwargs)
        dtype = kwargs.get("dtype") or next((each for each in args if isinstance(each, torch.dtype)), None)
        place = there or (None if device is None else torch.device(device))
        _move(module, place, dtype, non_blocking=bool(kwargs.get("non_blocking")))
        return module

    patches.setattr(nn.Module, "to", to)
    patches.setattr(nn.Module, "cuda", lambda module, device=None: to(module, "cuda" if device is None else device))
    patches.setattr(nn.Module, "cpu", lambda module: to(module, "cpu"))
    for name, dtype in (("float", torch.float32), ("half", torch.float16), ("bfloat16", torch.bfloat16)):
        patches.setattr(nn.Module, name, lambda module, dtype=dtype: to(module, dtype))


def _without_gradients(mode: Any) -> None:
    mode.before = torch.is_grad_enabled()
    if mode.mode:
        torch.set_grad_enabled(False)


def _with_gradients_as_before(mode: Any, *_: object) -> None:
    torch.set_grad_enabled(mode.before)


def _names_device(each: Any) -> bool:
    return isinstance(each, (torch.device, str, int)) and not isinstance(each, bool)


def _is_far(module: nn.Module) -> bool:
    return any(isinstance(each, DeviceTensor) for each in (*module.parameters(), *module.buffers()))


def _move(module: nn.Module, device: torch.device | None, dtype: torch.dtype | None, *, non_blocking: bool) -> None:
    """Bring parameters and buffers to a device and a number type, in place: torch would not exchange their kind."""
    moved: dict[int, torch.Tensor] = {}

    def there(value: torch.Tensor) -> torch.Tensor:
        if id(value) not in moved:  # what two modules share stays shared
            wanted = dtype if value.is_floating_point() else None
            brought = value.detach().to(device or value.device, wanted or value.dtype, non_blocking=non_blocking)
            moved[id(value)] = nn.Parameter(brought, False) if isinstance(value, nn.Parameter) else brought
        return moved[id(value)]

    with torch.no_grad():
        for each in module.modules():
            for values in (each._parameters, each._buffers):
                for name, value in list(values.items()):
                    if value is not None:
                        values[name] = there(value)


def _within(work: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        with _Functions(), _Inner():
            return work(*args, **kwargs)

    return run
