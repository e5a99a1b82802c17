"""Which scenarios a look takes, and which a whole measurement."""

from benchmarks import resuming
from benchmarks.rounds import Scenario
from benchmarks.scenarios import admissions, after_history, at_full_speed, first_deltas, held, paced

OURS = ("ours", "ours, todo")
SINGLE = (*OURS, "A", "A again", "A'")
ALL = (*SINGLE, "A x2")


def full() -> list[Scenario]:
    """Every row of the table."""
    return [
        # First, and once: a process that has had memory before takes none for them.
        Scenario("idle streams", resuming.idle_streams, ("ours", "A"), 1),
        Scenario("one by one", first_deltas(60), SINGLE, 6),
        Scenario("full speed 100", at_full_speed(100, 100), (*ALL, "ours x4"), 6),
        Scenario("paced 100", paced(100, 3.0), ALL, 5),
        Scenario("full speed 10", at_full_speed(10, 60), OURS, 5),
        Scenario("full speed 400", at_full_speed(400, 60), OURS, 5),
        Scenario("full speed 500", at_full_speed(500, 40), ALL, 5),
        Scenario("short runs", at_full_speed(100, 20), SINGLE, 5),
        Scenario("paced 1", paced(1, 2.0), SINGLE, 5),
        Scenario("paced 200", paced(200, 3.0), (*OURS, "A", "A x2"), 5),
        Scenario("pickup 0", resuming.pickup(0), ("ours",), 5),
        Scenario("idle", resuming.idle, ("ours",), 3),
        Scenario("admissions", admissions, ("ours, unstaffed",), 3),
        Scenario("replay", resuming.replay, ("ours",), 5),
        Scenario("redis", resuming.redis_bytes, ("ours, brief",), 2),
        Scenario("slow line", resuming.slow_line, ("ours, far",), 3),
        Scenario("history 0", after_history(0), ("ours",), 5),
        Scenario("history 10000", after_history(10_000), ("ours",), 5),
        Scenario("storm", resuming.storm, ("ours",), 2),
        Scenario("pickup 500", resuming.pickup(500), ("ours",), 5),
        Scenario("paced 50", paced(50, 3.0), ALL, 3),
        Scenario("held", held, (*OURS, "A", "A x2"), 2),
    ]


def quick() -> list[Scenario]:
    """A look at what matters most."""
    few = ("ours", "A", "A'")
    return [
        Scenario("one by one", first_deltas(40), few, 3),
        Scenario("paced 1", paced(1, 2.0), ("ours", "A"), 2),
        Scenario("full speed 10", at_full_speed(10, 20), ("ours",), 2),
        Scenario("full speed 100", at_full_speed(100, 50), few, 3),
        Scenario("full speed 400", at_full_speed(400, 20), ("ours",), 2),
        Scenario("paced 100", paced(100, 2.0), few, 2),
        Scenario("short runs", at_full_speed(50, 20), ("ours", "A"), 2),
        Scenario("pickup 0", resuming.pickup(0), ("ours",), 2),
        Scenario("idle", resuming.idle, ("ours",), 1),
        Scenario("replay", resuming.replay, ("ours",), 1),
    ]
