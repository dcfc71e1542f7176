"""The part of a fleet that lives in Ray: a service's actor on each node, and the actor that keeps the leases.

Both are detached: they outlive whoever started them and are found again by name. No call waits for a node.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from streamtag.fleet.lease import LeaseTable
from streamtag.fleet.node import NodeReport, NodeService
from streamtag.fleet.settings import FleetSettings
from streamtag.keys import ServerKeys

__all__ = ["Cluster", "RayNode", "RemoteService"]

_NAMESPACE: Final = "streamtag"
_ASK_SECONDS: Final = 2.0
_THREADS: Final = 4
_LEASES: Final = "leases"

logger = logging.getLogger(__name__)


class RayNode(NamedTuple):
    """A node that is up: Ray's id, and its address."""

    id: str
    host: str


class _Service:
    """What runs on a node, as an actor."""

    def __init__(self, node: str, host: str, leases: str, keys: str | None) -> None:
        import ray

        logging.basicConfig(level="INFO")
        logging.getLogger("streamtag").setLevel("INFO")

        def holds(term: int) -> bool:
            store = ray.get_actor(leases, namespace=_NAMESPACE)
            return bool(ray.get(store.holds.remote(node, term), timeout=_ASK_SECONDS))

        self._service = NodeService(host, ServerKeys(keys).own if keys else None, holds)

    def endpoint(self) -> str:
        return self._service.endpoint()

    def assign(self, text: str, idle: str, term: int) -> NodeReport:
        self._service.assign(text, idle, term)
        return self._service.report()

    def report(self) -> NodeReport:
        return self._service.report()

    def stop(self) -> None:
        self._service.stop()


class RemoteService:
    """A node's service as it is seen from afar: what it says of itself comes when it comes."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._waiting: Any = None
        self.report: NodeReport | None = None
        self.reason = ""
        """Why its actor does not answer, empty where it does."""

    def assign(self, text: str, idle: str, term: int) -> None:
        """Hand over a configuration; see `NodeService.assign`."""
        self._actor.assign.remote(text, idle, term)

    def look(self) -> None:
        """Take in what it says of itself, and ask anew."""
        import ray

        if self._waiting is not None:
            done, _ = ray.wait([self._waiting], timeout=0)
            if not done:
                return
            try:
                self.report, self.reason = ray.get(self._waiting), ""
            except ray.exceptions.RayError as error:
                self.report, self.reason = None, str(error).strip().splitlines()[0]
        self._waiting = self._actor.report.remote()


class Cluster:
    """The actors of one fleet in the cluster to which this process is connected."""

    def __init__(self, settings: FleetSettings, keys: str | None) -> None:
        """Find or make the lease store.

        Args:
            settings: Of the fleet.
            keys: The folder of the keys that services ask for, on every node; None where they ask for none.
        """
        self._settings = settings
        self._keys = keys
        self._leases = self._make_leases()

    def nodes(self) -> list[RayNode]:
        """Return the nodes that are up and have what a service needs."""
        import ray

        needs = {"CPU": self._settings.cpus, "GPU": self._settings.gpus}
        return [
            RayNode(each["NodeID"], "127.0.0.1" if self._settings.loopback else each["NodeManagerAddress"])
            for each in ray.nodes()
            if each["Alive"] and all(each["Resources"].get(name, 0) >= need for name, need in needs.items())
        ]

    def service(self, node: RayNode) -> RemoteService:
        """Return a node's service, which is made where it is not there yet; Ray makes it again on the node alone."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        actor = ray.remote(_Service).options(
            **self._kept(f"service-{node.id}"),
            num_cpus=self._settings.cpus,
            num_gpus=self._settings.gpus,
            max_concurrency=_THREADS,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return RemoteService(actor.remote(node.id, node.host, self._name(_LEASES), self._keys))

    def revoke(self, terms: dict[str, int]) -> None:
        """Let terms of leases be over, now and after the store was lost."""
        self._leases.revoke.remote(terms)

    def end(self) -> None:
        """End all services and the store."""
        import ray

        ends: list[tuple[Any, Callable[..., Any]]] = []
        for each in ray.util.list_named_actors(all_namespaces=True):
            if each["namespace"] == _NAMESPACE and each["name"].startswith(self._name("")):
                actor = ray.get_actor(each["name"], namespace=_NAMESPACE)
                if not each["name"].endswith(_LEASES):
                    ends.append((actor, actor.stop.remote()))
                else:
                    ray.kill(actor, no_restart=True)
        if ends:
            ray.wait([end for _, end in ends], num_returns=len(ends), timeout=8.0)
        for actor, _ in ends:
            ray.kill(actor, no_restart=True)

    def _make_leases(self) -> Any:
        import ray

        actor = ray.remote(LeaseTable).options(**self._kept(_LEASES), num_cpus=0, max_concurrency=1)
        return actor.remote()

    def _kept(self, name: str) -> dict[str, Any]:
        return {
            "name": self._name(name),
            "namespace": _NAMESPACE,
            "lifetime": "detached",
            "get_if_exists": True,
            "max_restarts": -1,
        }

    def _name(self, name: str) -> str:
        return f"{self._settings.name}-{name}"
