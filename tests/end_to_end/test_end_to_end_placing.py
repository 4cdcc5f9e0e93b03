from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from tests.end_to_end.conftest import World

def test_a(world: World) -> None:
    ended = world.run(world.people(10))
    print(ended)
    print(world.lines("campaign.results.csv")[:2])
    print({k: len(v) for k, v in world.remembered().items()})
    import time
    t=time.time()
    for i in range(10):
        world.run("campaign.csv")
    print((time.time()-t)/10)
    assert 0
