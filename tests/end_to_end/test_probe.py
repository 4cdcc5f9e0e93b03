from __future__ import annotations
import cProfile, pstats, time
def test_probe(world) -> None:
    world.run(world.people(3))
    p = cProfile.Profile()
    t=time.time()
    p.enable()
    for i in range(10):
        world.ledger = world.folder / f"l{i}.db"
        world.set("DISPATCHER_LEDGER", str(world.ledger))
        world.run("campaign.csv", "--results", f"r{i}.csv")
    p.disable()
    with open("/tmp/build/e2eo_prof.txt","w") as f:
        f.write(f"{(time.time()-t)/10}\n")
        pstats.Stats(p, stream=f).sort_stats("cumulative").print_stats(45)
        pstats.Stats(p, stream=f).sort_stats("tottime").print_stats(25)
        t=time.time()
        for i in range(10): world.serve()
        f.write(f"serve {(time.time()-t)/10}\n")
