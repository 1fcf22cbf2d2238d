"""A whole trace on a real API server, both sides of it: the stand-in as Argo CD, and an actor as everybody else.

The actor makes the Application as it was when the recording began, does what the recording script did as soon as
Argo CD's answer to the act before is complete, and returns every version of the Application that a watch showed.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from kit.argocd_api import Access, Applications
from kit.argocd_render import Recorded
from kit.argocd_shape import spell_out, trim
from kit.argocd_stage import Stage
from kit.argocd_traces import CONTROLLER, JsonObject, Trace, Write

_STEP_S = 20.0


@dataclass(frozen=True, slots=True)
class Version:
    generation: int
    state: JsonObject  # trimmed as in a trace


def expected(trace: Trace) -> list[Version]:
    """The recorded versions, as `replay` should return them but for where the generations begin."""
    first = [trace.initial] if trace.initial else []
    return [Version(write.generation, write.after) for write in (*first, *trace.writes)]


async def replay(trace: Trace, cluster: Access, namespace: str, *, speed: float = 0.0) -> list[Version]:
    """The versions of the Application in order; the namespace must be fresh.

    The recorded seconds are written as they are, through the recorded field managers.
    """
    name = trace.application
    async with Applications(cluster, namespace=namespace) as applications:
        if trace.initial is not None:
            await _prepare(trace.initial, applications, namespace=namespace, name=name)
        stage = Stage(applications, speed=speed, times=Recorded)
        async with _running(stage), _watching(applications) as seen:
            if trace.initial is None:
                stage.script(namespace, name, trace.name)
            else:
                stage.perform(namespace, name, trace.name)
            known = len(expected(trace)) - len(trace.writes)
            for index, write in enumerate(trace.writes):
                if not write.by_argocd:
                    await _until(seen, known + index)
                    await _act(write, applications, namespace=namespace, name=name)
            await _until(seen, known + len(trace.writes))
        if stage.failures:
            raise ExceptionGroup("the stand-in failed", stage.failures)
        return seen


@contextlib.asynccontextmanager
async def _running(stage: Stage) -> AsyncIterator[None]:
    listed = asyncio.Event()
    running = asyncio.create_task(stage.run(listed))
    async with _beside(running), _beside(asyncio.create_task(_wait(listed))) as ready:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield


@contextlib.asynccontextmanager
async def _watching(applications: Applications) -> AsyncIterator[list[Version]]:
    items, version = await applications.list()
    seen = [_version(item) for item in items]

    async def watch() -> None:
        async with contextlib.aclosing(applications.watch(version)) as events:
            async for kind, item in events:
                if kind != "BOOKMARK":
                    seen.append(_version(item))

    async with _beside(asyncio.create_task(watch())):
        yield seen


def _version(application: JsonObject) -> Version:
    return Version(application["metadata"]["generation"], trim(application))


@contextlib.asynccontextmanager
async def _beside(task: asyncio.Task[None]) -> AsyncIterator[asyncio.Task[None]]:
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _until(seen: list[Version], count: int) -> None:
    try:
        async with asyncio.timeout(_STEP_S):
            while len(seen) < count:
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{len(seen)} versions of {count}, the last: {seen[-1:]}") from None


async def _act(write: Write, applications: Applications, *, namespace: str, name: str) -> None:
    """What the recording script did."""
    if write.event == "ADDED":
        await applications.create(_body(write, namespace=namespace, name=name), manager=write.manager)
    elif write.event == "DELETED" or "deletionTimestamp" in write.patch.get("metadata", {}):
        await applications.delete(namespace, name)
    else:
        await applications.patch(namespace, name, write.patch, manager=write.manager)


async def _prepare(write: Write, applications: Applications, *, namespace: str, name: str) -> None:
    """The Application as it was at the start, with every field owned by whom it was."""
    await applications.create(_body(write, namespace=namespace, name=name), manager=write.manager)
    patch = {"status": _full_status(write.after)}
    await applications.patch(namespace, name, patch, manager=CONTROLLER)


def _body(write: Write, *, namespace: str, name: str) -> JsonObject:
    state = write.after["metadata"]
    metadata: JsonObject = {"name": name, "namespace": namespace}
    metadata |= {key: state[key] for key in ("annotations", "labels", "finalizers") if key in state}
    fields = state["managedFields"][f"{write.manager}/Update"]["fields"]
    if owners := state.get("ownerReferences"):
        matches = [re.search(r'ownerReferences\.k:.*"([\w-]+)"}', field) for field in fields]
        metadata["ownerReferences"] = [
            {"apiVersion": "argoproj.io/v1alpha1", "uid": uid, **owner}
            for owner, uid in zip(owners, [match[1] for match in matches if match], strict=True)
        ]
    body: JsonObject = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata}
    body["spec"] = write.after["spec"]
    if any(field.startswith("status{") for field in fields):  # an empty status, as Go writes it out
        empty = {"status": "", "comparedTo": {"destination": {}, "source": {"repoURL": ""}}}
        body["status"] = {"health": {}, "sourceHydrator": {}, "summary": {}, "sync": empty}
    return body


def _full_status(state: JsonObject) -> JsonObject:
    """A trimmed status with what was cut from it."""
    destination = state["spec"]["destination"]
    namespace = destination["namespace"]
    status: JsonObject = {key: value for key, value in state["status"].items() if key != "historyLen"}
    compared = {"destination": destination} | status["sync"]["comparedTo"]
    status["sync"] = status["sync"] | {"comparedTo": compared}
    fields = state["metadata"]["managedFields"][f"{CONTROLLER}/Update"]["fields"]
    owned = next(field for field in fields if field.startswith("status{"))[len("status{") : -1].split(",")
    status |= {key: {} for key in ("sourceHydrator", "summary") if key in owned}
    if "resources" in status:
        status["resources"] = spell_out(status["resources"], namespace=namespace)
    if "operationState" in status:
        last = status["operationState"]
        resources = spell_out(last["syncResult"]["resources"], namespace=namespace)
        result = {"revision": ""} | last["syncResult"] | {"resources": resources}
        status["operationState"] = {"operation": {}} | last | {"syncResult": result}
    return status
