"""What has ended is started again: at once after a long life, later and later after short ones."""

from dataclasses import dataclass, field

from local.errors import CannotRun
from local.keeper import Keeper


@dataclass
class Mortal:
    """Something that can be kept, and that dies and refuses to start when the test says so."""

    name: str = "worker-1"
    alive: bool = True
    refuses: bool = False
    starts: int = 0
    now: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def returncode(self) -> int | None:
        return None if self.alive else -9

    def start(self) -> None:
        if self.refuses:
            raise CannotRun("no room")
        self.alive = True
        self.starts += 1

    def ask_to_stop(self) -> None: ...

    def kill(self) -> None: ...

    def clock(self) -> float:
        return self.now

    def keeper(self) -> Keeper:
        return Keeper(self, say=self.said.append, clock=self.clock)


def test_the_living_are_left_alone() -> None:
    mortal = Mortal()
    mortal.keeper().look()
    assert (mortal.starts, mortal.said) == (0, [])


def test_after_a_long_life_it_is_started_at_once_and_said_in_one_line() -> None:
    mortal = Mortal()
    keeper = mortal.keeper()
    mortal.now, mortal.alive = 60.0, False
    keeper.look()
    assert mortal.alive
    assert mortal.said == ["worker-1 was ended by SIGKILL; it is started again now."]


def test_after_short_lives_it_waits_longer_each_time_up_to_half_a_minute() -> None:
    mortal = Mortal()
    keeper = mortal.keeper()
    waits = []
    for _ in range(7):
        mortal.alive, died, starts = False, mortal.now, mortal.starts
        keeper.look()
        while mortal.starts == starts:
            mortal.now += 1
            keeper.look()
        waits.append(mortal.now - died)
    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert len(mortal.said) == 7


def test_one_that_cannot_start_is_tried_again_and_its_reason_is_said() -> None:
    mortal = Mortal()
    keeper = mortal.keeper()
    mortal.alive, mortal.refuses = False, True
    for mortal.now in (0, 1):
        keeper.look()
    assert mortal.said[-1] == "worker-1 does not start (no room); it is started again in 2 s."
    mortal.refuses = False
    for mortal.now in (2, 3):
        keeper.look()
    assert mortal.alive
