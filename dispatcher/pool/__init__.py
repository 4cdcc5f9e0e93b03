"""The worker pool: paces, marks, sends and records the calls of one run."""

from dispatcher.pool.settings import Clock, Dispatched, PoolSettings, Unrecorded
from dispatcher.pool.workers import Pool

__all__ = ["Clock", "Dispatched", "Pool", "PoolSettings", "Unrecorded"]
