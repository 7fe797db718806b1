"""Connections to Redis: to one server, or to the nodes of a cluster."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..base import fork
from .redis_scripts import HISTORY, PUBLISH


class Scripts(NamedTuple):
    """A client and the registered scripts."""

    client: Any
    publish: Any
    history: Any
    cluster: bool


class Servers:
    """Connects at the first use, and finds out whether the server is part of a cluster.

    Args:
        url: A URL for redis-py.
        shard: Whether the channels of a cluster are sharded, so that each belongs to one node.
        timeout: Seconds that Redis may take to answer.

    Raises:
        ImportError: redis-py is missing.
    """

    def __init__(self, url: str, shard: bool, timeout: float) -> None:
        try:
            import redis
            import redis.backoff
            import redis.cluster
            import redis.retry
        except ImportError as error:
            raise ImportError("httpuv.brokers.Redis needs redis-py: httpuv[redis]") from error
        self.errors = redis.exceptions
        #: The exceptions of methods here and of redis-py.
        self.failures = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)
        self._redis = redis
        self._url = url
        self._shard = shard
        self._options: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            # No automatic retry: a message might be published twice.
            "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        }
        self._lock = fork.lock()
        self._scripts: Scripts | None = None
        self._nodes: dict[str, Any] = {}  # clients by node name; guarded by _lock
        self._single: Any = redis.Redis.from_url(url, **self._options)

    def scripts(self) -> Scripts:
        """The client and its scripts.

        Raises:
            One of ``failures``: It cannot be reached.
        """
        found = self._scripts
        if found is not None:
            return found
        client, cluster = self._single, self._is_cluster()
        if cluster:
            client = self._redis.cluster.RedisCluster.from_url(self._url, **self._options)
        made = Scripts(
            client, client.register_script(PUBLISH), client.register_script(HISTORY), cluster
        )
        with self._lock:
            if self._scripts is None:
                self._scripts = made
            found = self._scripts
        if found is not made and cluster:
            client.close()
        return found

    def _is_cluster(self) -> bool:
        try:
            return bool(self._single.info("cluster").get("cluster_enabled"))
        except self.errors.ConnectionError:
            raise
        except self.errors.ResponseError:  # INFO is not allowed
            return False

    def nodes(self) -> list[str]:
        """The nodes to listen to: ``HOST:PORT`` of each primary where channels are sharded.

        Otherwise one connection to any node is enough, which is ``""``. Asks a cluster again.

        Raises:
            One of ``failures``: It cannot be reached.
        """
        scripts = self.scripts()
        if not scripts.cluster or not self._shard:
            return [""]
        scripts.client.nodes_manager.initialize()
        return [node.name for node in scripts.client.get_primaries()]

    def node_of(self, channel: str) -> str:
        """The node that a channel belongs to. Does not wait for the network once connected.

        Raises:
            One of ``failures``: It is not known.
        """
        scripts = self.scripts()
        if not scripts.cluster or not self._shard:
            return ""
        return str(scripts.client.get_node_from_key(channel).name)

    def connection(self, node: str) -> Any:
        """A client for one node.

        Raises:
            One of ``failures``: There is no such node, or it cannot be reached.
        """
        scripts = self.scripts()
        if not scripts.cluster:
            return scripts.client
        if not node:
            node = scripts.client.get_random_node().name
        found = scripts.client.get_node(node_name=node)
        if found is None:
            raise self.errors.ConnectionError(f"{node} is not of the cluster any more")
        # The cluster client reconnects its own connections whenever it reads the topology.
        parse_url: Any = self._redis.connection.parse_url
        with self._lock:
            if node not in self._nodes:
                pool = self._redis.ConnectionPool(
                    **{
                        **self._options,
                        **parse_url(self._url),
                        "host": found.host,
                        "port": found.port,
                    }
                )
                self._nodes[node] = self._redis.Redis(connection_pool=pool)
            return self._nodes[node]

    def close(self) -> None:
        """Close all connections. The next use connects again."""
        with self._lock:
            scripts, self._scripts = self._scripts, None
            nodes, self._nodes = self._nodes, {}
        for each in nodes.values():
            each.close()
        if scripts is not None and scripts.cluster:
            scripts.client.close()
        self._single.close()
