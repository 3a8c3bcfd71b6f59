"""The link: when a try may start, and what its outcome changes."""

from __future__ import annotations

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from jwpingd.uplink.link import NETWORK_JITTER_S, Change, Link, Try

FIRST_S, MAX_S = 1.0, 300.0


def a_link() -> Link:
    return Link(first_s=FIRST_S, max_s=MAX_S)


def fail(link: Link, now_s: float, *, fraction: float = 1.0) -> Change:
    """One try that starts as early as it may and finds nobody."""
    assert link.start_at() <= now_s
    return link.unreachable(link.start(), now_s, fraction)


def refuse(link: Link, now_s: float, *, before: int = 0, retry_after_s: float | None = None) -> Change:
    """One try that is refused."""
    assert link.start_at() <= now_s
    return link.refused(link.start(), now_s, 1.0, n_refusals_before=before, retry_after_s=retry_after_s)


def test_at_first_all_may_go() -> None:
    """A link that nobody has tried is taken to be up."""
    link = a_link()
    assert link.is_up and link.is_online and link.start_at() == -inf


def test_network_errors_back_off() -> None:
    """Each probe that fails doubles the wait, up to the limit."""
    link, now_s, waits_s = a_link(), 1000.0, []
    for _ in range(11):
        fail(link, now_s)
        waits_s.append(link.start_at() - now_s)
        now_s = link.start_at()
    assert waits_s == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_told_once_each_way() -> None:
    """One failure is an accident, the second takes the link down; that and its return are told once."""
    link = a_link()
    changes = [fail(link, now_s) for now_s in (0.0, 10.0, 20.0)]
    assert changes == [Change.NONE, Change.WENT_DOWN, Change.NONE]
    assert not link.is_online
    assert link.answered(link.start()) is Change.CAME_UP
    assert link.answered(link.start()) is Change.NONE


def test_success_after_one_failure_is_not_told() -> None:
    """What never went down does not come up."""
    link = a_link()
    fail(link, 0.0)
    assert link.answered(link.start()) is Change.NONE
    assert link.is_up and link.start_at() == -inf


def test_one_probe_at_a_time() -> None:
    """After a failure nothing starts while a probe is out, however long it takes."""
    link = a_link()
    fail(link, 0.0)
    probe = link.start()
    assert link.start_at() == inf
    link.unreachable(probe, 5.0, 0.5)
    assert link.start_at() == 6.0


def test_failures_of_one_moment_count_once() -> None:
    """Tries that were out together and fail together are one failure."""
    link = a_link()
    tries = [link.start() for _ in range(4)]
    for a_try in tries:
        link.unreachable(a_try, 0.0, 1.0)
    assert link.n_failures == 1 and link.start_at() == 1.0


def test_an_old_try_cannot_fail_a_new_link() -> None:
    """A try that hung since before the link came up says nothing when it fails at last."""
    link = a_link()
    hanging, failing = link.start(), link.start()
    link.unreachable(failing, 0.0, 1.0)
    link.answered(link.start())
    link.unreachable(hanging, 10.0, 1.0)
    assert link.is_up


def test_an_old_try_can_still_succeed() -> None:
    """Any answer brings the link up, whenever the try began."""
    link = a_link()
    slow, failing = link.start(), link.start()
    link.unreachable(failing, 0.0, 1.0)
    link.answered(slow)
    assert link.is_up


def test_after_a_refusal_the_next_entry_is_probed_at_once() -> None:
    """The first refusal doubts the ping; only further pings refused make the link wait."""
    link = a_link()
    due_s: list[float] = []
    for _ in range(5):
        refuse(link, due_s[-1] if due_s else 100.0)
        due_s.append(link.start_at())
    assert due_s == [100, 101, 103, 107, 115]


def test_a_bad_ping_says_nothing_new() -> None:
    """A ping that was refused before does not touch a link that is up."""
    link = a_link()
    assert refuse(link, 0.0, before=3) is Change.NONE
    assert link.is_up and link.start_at() == -inf


def test_a_lone_bad_ping_does_not_make_the_next_one_wait() -> None:
    """Its repeated refusals take the link down for people, but a new ping may be tried at once."""
    link = a_link()
    changes = [refuse(link, 10.0 * before, before=before) for before in range(20)]
    assert changes.count(Change.WENT_DOWN) == 1
    assert not link.is_online and link.start_at() <= 0.0


def test_retry_after_holds_everything() -> None:
    """Nothing starts before it is over: not for a success, not for a change of the network."""
    link = a_link()
    slow = link.start()
    refuse(link, 0.0, retry_after_s=120.0)
    link.answered(slow)
    link.network_changed(1.0, 0.0)
    assert link.start_at() == 120.0


def test_retry_after_is_never_shortened() -> None:
    """Of several, the latest end counts, also from a try that began before the link changed."""
    link = a_link()
    tries = [link.start(), link.start()]
    link.refused(tries[0], 0.0, 1.0, n_refusals_before=0, retry_after_s=60.0)
    link.refused(tries[1], 1.0, 1.0, n_refusals_before=0, retry_after_s=5.0)
    assert link.start_at() == 60.0


def test_a_network_change_cancels_our_backoff() -> None:
    """The next probe goes within the jitter, and the wait begins small again."""
    link, now_s = a_link(), 0.0
    for _ in range(10):
        fail(link, now_s)
        now_s = link.start_at()
    fail(link, now_s)
    link.network_changed(now_s, 0.5)
    assert link.start_at() == now_s + 0.5 * NETWORK_JITTER_S
    fail(link, now_s + NETWORK_JITTER_S)
    assert link.start_at() == now_s + NETWORK_JITTER_S + FIRST_S


def test_a_network_change_delays_nothing() -> None:
    """A probe that is due earlier than the jitter stays due; further changes do not push it away."""
    link = a_link()
    fail(link, 0.0)
    link.network_changed(0.0, 0.9)
    link.network_changed(0.5, 0.9)
    assert link.start_at() == FIRST_S


def test_a_probe_from_before_the_change_does_not_bring_the_backoff_back() -> None:
    """Its failure is old news; the probe that the change called for goes as planned."""
    link = a_link()
    fail(link, 0.0)
    probe = link.start()
    link.network_changed(5.0, 0.5)
    link.unreachable(probe, 6.0, 1.0)
    assert link.start_at() <= 7.5


@given(data=st.data())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_whatever_happens_the_next_try_comes(data: st.DataObject) -> None:
    """With no probe out the next try is at most `max_s` away, or where a `Retry-After` put it.

    At most one probe is out at a time, and a success always brings the link up.
    """
    link, now_s, held_to_s = a_link(), 0.0, -inf
    out: list[Try] = []
    fractions = st.floats(0, 1, exclude_max=True)
    for _ in range(data.draw(st.integers(1, 60))):
        now_s += data.draw(st.floats(0, 400))
        if link.start_at() <= now_s and len(out) < 4:
            out.append(link.start())
            assert sum(a_try.is_probe for a_try in out) <= 1
        action = data.draw(st.sampled_from(["wait", "network", "ok", "dead", "refused", "gone"]))
        if action == "network":
            link.network_changed(now_s, data.draw(fractions))
            assert link.start_at() <= max(now_s + NETWORK_JITTER_S, held_to_s) or any(t.is_probe for t in out)
        elif action != "wait" and out:
            a_try = out.pop(data.draw(st.integers(0, len(out) - 1)))
            if action == "ok":
                link.answered(a_try)
                assert link.is_up
            elif action == "dead":
                link.unreachable(a_try, now_s, data.draw(fractions))
            elif action == "gone":
                link.abandoned(a_try)
            else:
                wait_s = data.draw(st.none() | st.floats(0, 3600))
                held_to_s = max(held_to_s, now_s + (-inf if wait_s is None else wait_s))
                before = data.draw(st.integers(0, 3))
                link.refused(
                    a_try, now_s, data.draw(fractions), n_refusals_before=before, retry_after_s=wait_s
                )
        if not any(a_try.is_probe for a_try in out):
            assert link.start_at() <= max(now_s + MAX_S, held_to_s)


def test_thousands_of_failures_later() -> None:
    """The wait stays at the limit however long the box is offline."""
    link, now_s = a_link(), 0.0
    for _ in range(3000):
        fail(link, now_s)
        now_s = link.start_at()
    assert fail(link, now_s) is Change.NONE
    assert link.start_at() - now_s == MAX_S
