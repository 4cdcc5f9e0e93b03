"""One HTTP request at a time: what it brought back, and whether it began to leave."""

from dispatcher.client.client import CALLS_PATH, Client

__all__ = ["CALLS_PATH", "Client"]
