"""The actors of a cluster: started where there is room, given work, ended when they hang, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_seedshift.core import machine
from pytest_seedshift.core.errors import HarnessError, SeedshiftUsageError
from pytest_seedshift.runner.cluster import examination, link, protocol, wire
from pytest_seedshift.runner.cluster.address import OPTION, WITHOUT_TOKEN
from pytest_seedshift.runner.cluster.dispatch import PROBE, Dispatch
from pytest_seedshift.runner.cluster.pace import Pace
from pytest_seedshift.runner.cluster.posts import Post, Posts
from pytest_seedshift.runner.cluster.protocol import Began, Look, Node, Options
from pytest_seedshift.runner.orders import Slot

if TYPE_CHECKING:
    from pytest_seedshift.runner.cluster.pieces import Piece
    from pytest_seedshift.runner.orders import Order, Row

_SOON = 180.0
"""For so many seconds is an actor that is being started waited for by what another one has failed over."""

_MOST_CALLS = 8
"""So many processes may die over what is no batch: there is nothing like it that it could be held against."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Crew:
    """All actors and what they are at. Whatever is called here is called in one thread, one after another."""

    def __init__(
        self,
        options: Options,
        say: Callable[..., None],
        later: Callable[[Callable[[Future[Any]], None]], Callable[[Future[Any]], None]],
    ) -> None:
        """`say` tells the pytest process something; `later` has an answer of Ray looked at in this thread."""
        self._options = options
        self._say = say
        self._later = later
        on_cpu = {"cpu": True, "cuda": False}.get((options.device or "").partition(":")[0])
        processes = 1 if options.looks_only else options.place.processes
        cores = machine.cores() if options.place.kind == "local" else None
        self._posts = Posts(options.gpus_per_model, processes, on_cpu=on_cpu, cores=cores)
        self._dispatch = Dispatch()
        self._pace = Pace(options.order_seconds)
        self._orders: dict[int, Order] = {}
        self._good: dict[str, Row] = {}
        """By model, a row that was made."""
        self._last_death = ""
        self._since: dict[int, float] = {}
        """By the identity of a piece that is made, since when."""
        self._calls: dict[int, tuple[str, bytes, int]] = {}
        """By number, where something else is done with a model, what it is, and how many have died over it."""
        self._held: list[tuple[int, bytes, int]] = []
        """What waits for a place where it can be done."""
        self._setup: tuple[bytes, dict[str, Any]] | None = None
        self._examined: dict[str, str] = {}
        """By machine, the post whose actor looks at it, or has."""
        self._is_on = False
        self._begun_at = time.monotonic()
        self._submitted = 0
        self._told: tuple[object, ...] = ()

    @property
    def device(self) -> str:
        """The kind of device that models run on."""
        return "cpu" if self._posts.on_cpu else "cuda"

    @property
    def nodes(self) -> list[Node]:
        """The machines that there are."""
        return list(self._posts.nodes.values())

    # The cluster ------------------------------------------------------------------------------------------------------

    def see(self, found: Sequence[dict[str, Any]]) -> None:
        """Take note of the machines that there are now."""
        left, new = self._posts.see(found)
        for post in left:
            self._remove(post, innocent=True)
        if self._is_on and (left or new):
            self._say("note", *[f"{node} has joined" for node in new])
        self._start()
        self._tell()

    def begin(self, packed: bytes, start: dict[str, Any]) -> None:
        """Start actors, and look at each machine before any of its actors is used."""
        self._setup = packed, start
        self._begun_at = time.monotonic()
        places, asked = len(self._posts.open), self._options.place.processes
        if not places:
            raise SeedshiftUsageError(self._no_places())
        if asked is not None and places < asked and not self._options.looks_only:
            raise SeedshiftUsageError(
                f"{OPTION}={self._options.place}: this machine has GPUs for {places} of these processes, with "
                f"{self._options.gpus_per_model} for each: give local:{places}, or --seedshift-device=cpu"
            )
        self._start()

    def _no_places(self) -> str:
        listed = ", ".join(f"{node}: {node.gpus} GPUs, {node.cpus} CPUs" for node in self.nodes) or "no machine"
        if self._posts.on_cpu:
            return f"the cluster has no CPU for a model: {listed}"
        return (
            f"the cluster has no machine with {self._options.gpus_per_model} GPUs for each model ({listed}): give "
            "another --seedshift-gpus-per-model, or --seedshift-device=cpu"
        )

    def check(self) -> None:
        """End what hangs, and see whether there is anything left to go on with.

        Raises:
            HarnessError: there is not.
        """
        now = time.monotonic()
        for post in self._posts.ready:
            lane = self._dispatch.lanes.get(post.name)
            if lane is None or not lane.making:
                continue
            first = lane.making[0]
            limit = self._pace.limit(first.model, lane.kind, len(first.rows))
            if now - self._since.get(id(first), now) > limit:
                self._say("note", f"{post.name} has not come to an end in {limit:.0f} s and is ended")
                self._remove(post, innocent=False)
        for name in self._dispatch.at_fault():
            for post in [each for each in self._posts if each.name == name]:
                self._remove(post, innocent=True)
                post.give_up("it fails over what others make")
        self._tell_notes()
        if self._setup is not None and not (self._options.looks_only and self._is_on):
            self._let_in()  # a place may have been given up
            self._check_alive(now)
        self._start()
        coming = [post for post in self._posts.open if post.name not in self._dispatch.lanes]
        self._dispatch.expect(sum(now - post.since < _SOON for post in coming))
        self._flush()

    def _check_alive(self, now: float) -> None:
        waited = now - self._begun_at
        if self._posts.ready:
            self._begun_at = now
            if self._dispatch.dies_of_everything:
                raise HarnessError(
                    f"the processes of the cluster die whatever they are at, and nothing is made: {self._last_death}. "
                    "What was made before is kept, and the next run goes on from there"
                )
            return
        reasons = "; ".join(self._posts.reasons[:3])
        if not self._posts.open and (waited > self._patience or reasons):
            raise HarnessError(f"no process is left that could make images{f': {reasons}' if reasons else ''}")
        if waited > self._options.start_seconds:
            why = reasons or "its GPUs may be taken by others"
            raise HarnessError(f"no process of the cluster was ready within {waited:.0f} s: {why}")

    @property
    def _patience(self) -> float:
        return 0.0 if self._options.place.kind == "local" else self._options.join_seconds

    # Actors -----------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._setup is None:
            return
        for post in self._posts:
            if post.state == "empty":
                post.start(link.start(post))
                self._ask(post, "about", self._met)

    def _ask(self, post: Post, method: str, then: Callable[[Post, Any], None], *arguments: object) -> None:
        actor = post.actor

        def answered(answer: Future[Any]) -> None:
            if post.actor is not actor:  # of one that was ended before
                return
            error = answer.exception()
            if error is not None:
                self._died(post, error)
            else:
                then(post, answer.result())
            self._flush()

        link.ask(actor, method, *arguments, then=self._later(answered))

    def _met(self, post: Post, about: dict[str, Any]) -> None:
        """An actor is there: see whether its machine can be used, and have it made ready."""
        assert self._setup is not None
        packed, start = self._setup
        post.meet(about)
        others = examination.other_versions(start["versions"], about["versions"])
        if others:
            self._look(post, f"other versions than the driver: {', '.join(others)}")
            self._refuse(post.node, f"{post.node} has other versions than the driver: {', '.join(others)}")
            return
        if not about["token"] and not self._options.without_token and self._options.place.kind != "local":
            self._look(post, "Ray asks for no token there")
            self._refuse(
                post.node,
                f"{post.node} runs Ray without a token, so that whoever reaches it runs code on it: start it with "
                f"RAY_AUTH_MODE=token, or give {WITHOUT_TOKEN}",
            )
            return
        examine = post.node.id not in self._examined
        if examine:
            self._examined[post.node.id] = post.name
        post.enter("beginning")
        environment = {**start["environment"], "OMP_NUM_THREADS": str(min(post.threads, start["threads"]))}
        given = {**start, "environment": environment, "examine": examine}
        self._ask(post, "begin", self._ready, given, packed)

    def _ready(self, post: Post, answer: dict[str, Any]) -> None:
        problems = [each for each in answer.get("problems", {}).values() if each]
        self._look(post, answer.get("said", ""), answer)
        if "said" in answer:
            self._refuse(post.node, f"{post.node} cannot make images: {answer['said']}")
        elif problems:
            self._refuse(post.node, f"{post.node}: {'; '.join(problems)}")
        else:
            post.meet({"kind": answer["kind"], "device": answer["device"]})
            if self._examined.get(post.node.id) == post.name:
                self._examined[post.node.id] = ""
            post.be_ready()
            self._let_in()

    def _look(self, post: Post, problem: str, answer: Mapping[str, Any] = NOTHING) -> None:
        """Tell of a machine, where that is what is asked for."""
        if self._options.looks_only:
            about = post.about
            kind, models = answer.get("kind", ""), answer.get("problems", {})
            self._say("look", Look(post.node, kind, about["versions"], about["token"], problem, models))

    def _let_in(self) -> None:
        """Use actors whose machine was looked at; at first not before all machines were."""
        if not self._is_on:
            waiting = {post.node.id for post in self._posts.open if self._examined.get(post.node.id) != ""}
            late = time.monotonic() - self._begun_at > protocol.CONNECT_SECONDS
            if waiting and not late:
                return
            if self._posts.refused and not self._options.looks_only:  # all that is wrong is told at once
                raise SeedshiftUsageError("\n".join(self._posts.refused))
            if not self._posts.ready and not self._options.looks_only:
                return
            self._is_on = True
        for post in self._posts.ready:
            if post.name not in self._dispatch.lanes and self._examined.get(post.node.id) == "":
                self._dispatch.add(post.name, post.about["kind"])
                self._say("began", Began(post.name, str(post.node), post.about["kind"], post.about))
        held, self._held = self._held, []
        for call in held:
            self._call(*call)
        self._tell()

    def _refuse(self, node: Node, reason: str) -> None:
        """A machine cannot be used: before anything is made that ends the run, later it goes on without it."""
        if self._is_on:
            self._say("note", f"{reason}: it is not used")
        for post in self._posts.refuse(node, reason):
            self._remove(post, innocent=True)
        self._let_in()

    def _died(self, post: Post, error: BaseException) -> None:
        of_node = link.is_of_node(error)
        if post.state == "ready":
            self._last_death = f"{post.name}: {link.said_of(error)}"
            self._say("note", f"{post.name} has died ({link.said_of(error)}); others make what it was at")
            self._remove(post, innocent=of_node)
        else:
            if self._examined.get(post.node.id) == post.name:
                del self._examined[post.node.id]
            post.fail(link.said_of(error))

    def _remove(self, post: Post, *, innocent: bool) -> None:
        link.end(post)
        if self._examined.get(post.node.id) == post.name:
            del self._examined[post.node.id]
        post.leave()
        self._dispatch.remove(post.name, innocent=innocent)
        for number in [each for each, call in self._calls.items() if call[0] == post.name]:
            _, packed, tries = self._calls.pop(number)
            self._call(number, packed, tries + 1)
        self._flush()

    # Work -------------------------------------------------------------------------------------------------------------

    def know(self, model: str, kind: str, size: int) -> None:
        """So many at once suit a model on a kind of hardware, as earlier runs have found."""
        self._pace.know(model, kind, size)

    def submit(self, slot: str, order: Order) -> None:
        """Have an order made."""
        self._orders[order.number] = order
        self._submitted += 1
        cases = [(row.case.model, row.case.shift, row.case.magnitude) for row in order.rows]
        self._dispatch.submit(slot, order.number, order.model, len(order.rows), cases)
        self._flush()

    def _flush(self) -> None:
        """Give actors what they are to begin, and tell what has ended."""
        for post in self._posts.ready:
            while post.name in self._dispatch.lanes and (piece := self._dispatch.next(post.name)) is not None:
                self._make(post, piece)
        self._tell()
        for number, outcome in self._dispatch.ended():
            del self._orders[number]
            self._say("done", number, outcome.slot, outcome.packed, outcome.failed, outcome.unusable, outcome.seconds)
        self._tell_notes()

    def _make(self, post: Post, piece: Piece) -> None:
        if piece.order == PROBE:
            rows: tuple[Row, ...] = (self._good[piece.model],)
        else:
            rows = tuple(self._orders[piece.order].rows[place] for place in piece.rows)
        lane = self._dispatch.lanes[post.name]
        if len(lane.making) == 1:
            self._since[id(piece)] = time.monotonic()
        known = self._pace.size(piece.model, lane.kind)

        def done(post: Post, answer: tuple[dict[str, Any], bytes]) -> None:
            self._made(post, piece, *answer)

        self._ask(post, "make", done, wire.packed((piece.model, rows)), known)

    def _made(self, post: Post, piece: Piece, reply: dict[str, Any], packed: bytes) -> None:
        lane = self._dispatch.lanes[post.name]
        self._since.pop(id(piece), None)
        for model, seconds in reply["loads"].items():
            self._say("load", post.name, model, seconds)
        if reply["batch_size"]:
            rows = max(1, len(piece.rows))
            self._pace.learn(piece.model, lane.kind, reply["batch_size"], reply["seconds"], rows)
            self._say("size", piece.model, post.name, lane.kind, reply["batch_size"])
        if reply["poisoned"]:
            self._say("note", f"{post.name} cannot be used any more and is started again: {reply['poisoned']}")
            self._remove(post, innocent=False)
            return
        if piece.order == PROBE:
            self._dispatch.done(post.name, piece, (), b"", {})
            return
        made = [piece.rows[place] for place in reply["made"]]
        if made and piece.order in self._orders:
            self._good.setdefault(piece.model, self._orders[piece.order].rows[made[0]])
        failed = {piece.rows[place]: said for place, said in reply["failed"].items()}
        self._dispatch.done(post.name, piece, made, packed, failed, reply["unusable"], reply["seconds"])
        if lane.making:
            self._since.setdefault(id(lane.making[0]), time.monotonic())

    def call(self, number: int, model: str, packed: bytes) -> None:
        """Have something else done with a model."""
        self._call(number, wire.packed((model, packed)), 0)

    def _call(self, number: int, packed: bytes, tries: int) -> None:
        model, study = wire.unpacked(packed)
        lanes = self._dispatch.lanes
        places = [post for post in self._posts.ready if post.name in lanes]
        if tries >= _MOST_CALLS:
            said = f"{model}: each of {tries} processes that were at it has died"
            self._say("answer", number, {"kind": "case", "said": said})
            return
        if not places:  # one may come, and where none does everything ends
            self._held.append((number, packed, tries))
            return
        post = min(places, key=lambda each: (lanes[each.name].model != model, lanes[each.name].load))
        self._calls[number] = post.name, packed, tries

        def done(_: Post, answer: dict[str, Any]) -> None:
            del self._calls[number]
            self._say("answer", number, answer)

        self._ask(post, "call", done, study, model)

    def withdraw(self) -> None:
        """Begin nothing new; what is being made is still told of."""
        for number in self._dispatch.withdraw():
            del self._orders[number]
            self._say("withdrawn", number)
        self._say("closing", len(self._orders))

    # What is told -----------------------------------------------------------------------------------------------------

    def _tell(self) -> None:
        lanes = self._dispatch.lanes.values()
        slots = [Slot(lane.name, lane.kind, lane.model, lane.load) for lane in lanes]
        now = slots, self._submitted, self._is_on
        if now != self._told:
            self._told = now
            self._say("slots", *now)

    def _tell_notes(self) -> None:
        for each in self._dispatch.notes:
            self._say("note", each)
        self._dispatch.notes.clear()
