"""A Dask cluster's workers: reached or started, counted, and watched while they work.

Workers that are started here listen on this machine's own address; those of a running scheduler
are left as they were, but for what a lost one has left hanging.
"""

import io
import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from joblib import cpu_count

from portfolio_ml.config import Distributed
from portfolio_ml.errors import ConfigError, ServiceUnavailableError
from portfolio_ml.wording import counted

if TYPE_CHECKING:
    from distributed import Client

Result = TypeVar("Result")

ANSWER_SECONDS = 30
LOOK_SECONDS = 1.0  # how soon a worker that is gone is missed
PACKAGES = ("portfolio-ml", "lightgbm", "pyarrow", "dask", "distributed")
"""What must be installed alike on this machine, the scheduler's and the workers'."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster that answers.

    Attributes:
        client: The connection.
        workers: The addresses of the workers to use, as many as are configured.
        where: The cluster, for people.
        is_own: Whether the workers were started here.
    """

    client: "Client"
    workers: tuple[str, ...]
    where: str
    is_own: bool

    def watched(self, work: Callable[[], Result]) -> Result:
        """What the work gives, unless a worker is gone before it does.

        Dask would wait for the worker to come back, and LightGBM's other workers with it.

        Raises:
            ServiceUnavailableError: A worker is gone, or the scheduler.
        """
        with ThreadPoolExecutor(1) as pool:
            doing = pool.submit(work)
            try:
                lost = self._lost_before(doing)
            except BaseException:  # Ctrl-C, say: the pool would wait until the trees are fitted
                self._let_go()
                raise
            if lost:
                self._let_go()
                raise _gone(lost, self.where)
            try:
                return doing.result()
            except (OSError, TimeoutError) as error:
                raise _gone(self._lost() or self.where, self.where) from error
            except ServiceUnavailableError as error:
                time.sleep(LOOK_SECONDS)  # the scheduler may miss the worker later than the others
                if lost := self._lost():
                    self._let_go()
                    raise _gone(lost, self.where) from error
                raise

    def _lost_before(self, doing: Future[Result]) -> str | None:
        """Who was lost before the work was done; None where it is done."""
        while not wait([doing], timeout=LOOK_SECONDS).done:
            if lost := self._lost():
                return lost
        return None

    def _lost(self) -> str | None:
        """The first worker that is there no more, or the scheduler; None where all are."""
        try:
            there = self.client.nthreads()
        except (OSError, TimeoutError):
            return "the scheduler"
        return next((address for address in self.workers if address not in there), None)

    def _let_go(self) -> None:
        """End what the other workers do, who wait for the lost one in native code."""
        if not self.is_own:
            # Those that no nanny looks after cannot be restarted: they wait until they give up.
            with suppress(ValueError, OSError, TimeoutError):
                there = self.client.nthreads()
                self.client.restart_workers(
                    [address for address in self.workers if address in there],
                    timeout=ANSWER_SECONDS,
                    raise_for_error=False,
                )
        self.client.close()


def demand_dask() -> None:
    """Refuse to go on without Dask.

    Raises:
        ConfigError: It is not installed.
    """
    if find_spec("dask") is None or find_spec("distributed") is None:
        raise ConfigError(
            "distributed training needs Dask, which is not installed",
            where="training.distributed",
            do="run pip install 'portfolio-ml[dask]'",
        )


@contextmanager
def connected(settings: Distributed) -> Iterator[Cluster]:
    """The cluster of the settings, for the length of a `with` block.

    Raises:
        ConfigError: Dask is not installed, or other packages are on the cluster than here.
        ServiceUnavailableError: No scheduler answers, or it has fewer workers.
    """
    demand_dask()
    with ExitStack() as stack:
        with hushed():
            cluster = _connected(settings, stack)
        yield cluster


def _connected(settings: Distributed, stack: ExitStack) -> Cluster:
    import distributed  # noqa: PLC0415 - an extra, and it takes a while

    where = settings.scheduler or "this machine"
    cluster: Any = settings.scheduler
    if cluster is None:
        cluster = stack.enter_context(
            distributed.LocalCluster(
                n_workers=settings.workers,
                threads_per_worker=max(1, cpu_count() // settings.workers),
                memory_limit=None,  # a worker that Dask pauses would be waited for
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
            )
        )
    try:
        client = _ordered_client()(cluster, timeout=ANSWER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ServiceUnavailableError(
            "no Dask scheduler answers",
            where=where,
            saw=str(error).partition("\n")[0] or type(error).__name__,
            do="start it with dask scheduler, or correct training.distributed.scheduler",
        ) from error
    stack.enter_context(client)
    _demand_workers(client, settings.workers, where)
    if settings.scheduler is not None:
        _demand_alike(client.get_versions(packages=[*PACKAGES]), where)
    workers = tuple(sorted(client.nthreads())[: settings.workers])
    return Cluster(client, workers, where, is_own=settings.scheduler is None)


@contextmanager
def hushed() -> Iterator[None]:
    """Keep what Dask and LightGBM say in passing off the standard output and from the warnings."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def _ordered_client() -> type["Client"]:
    """A connection that tells who has what in the order of the question.

    Dask's own tells it in any order, and LightGBM numbers the workers in it: each sets the bins of
    the features that its number falls to, so that the trees would differ from run to run.
    """
    import distributed  # noqa: PLC0415 - an extra

    class Ordered(distributed.Client):  # type: ignore[misc]  # its types are not read
        def who_has(self, futures: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401 - Dask's own
            found = super().who_has(futures, **kwargs)
            keys = [] if futures is None else [future.key for future in futures]
            return {key: found[key] for key in keys} if keys else found

    return Ordered


def _demand_workers(client: "Client", workers: int, where: str) -> None:
    try:
        client.wait_for_workers(workers, timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise ServiceUnavailableError(
            f"the Dask cluster has fewer than {counted(workers, 'worker')}",
            where=where,
            saw=counted(len(client.nthreads()), "worker"),
            do="start more with dask worker, or set fewer under training.distributed.workers",
        ) from None


def _demand_alike(versions: Mapping[str, Any], where: str) -> None:
    """Refuse a cluster that would read the rows, or the trees, by other code than is here."""
    own = versions["client"]["packages"]
    others = {"the scheduler": versions["scheduler"], **versions["workers"]}
    for name, other in others.items():
        for package in PACKAGES:
            seen = other["packages"].get(package)
            if seen != own[package]:
                raise ConfigError(
                    f"the cluster needs {package} {own[package]}, as it is here",
                    where=f"{name} of {where}",
                    saw="none" if seen is None else seen,
                    do="install the same packages there, portfolio-ml[dask] among them",
                )


def _gone(what: str, where: str) -> ServiceUnavailableError:
    return ServiceUnavailableError(
        "a worker was lost while trees were fitted; nothing is registered",
        where=where,
        saw=f"no answer from {what}",
        do="look at its log (most often its memory was too small), set more workers, or run it "
        "again",
    )
