"""What an agent was when, by what they did and by what their phone did."""

LEASE_MS = 30 * 60 * 1000
NEVER = 1 << 62


def states(notes, wrap_up_ms):
    """What an agent was (and for which reason or customer), from when to when, by their own notes and their phone's."""
    state, about, since = None, "", None
    # What they said last; when something runs out by itself; when the client was last heard.
    requested, wrap_up_ends, lease_ends, heard = ("available", ""), NEVER, NEVER, None

    def turn(to, more, at):
        nonlocal state, about, since
        before = (state, about, since, at)
        state, about, since = to, more, at
        return [before] if before[0] is not None and at > before[2] else []

    for at, what, more in [*notes, (NEVER, "end", "")]:
        while state is not None and min(lease_ends, wrap_up_ends if state == "wrap_up" else NEVER) <= at:
            if state == "wrap_up" and wrap_up_ends < lease_ends:
                yield from turn(*requested, wrap_up_ends)
            elif lease_ends < NEVER:
                yield from turn(None, "", lease_ends)
            else:
                break
        match what:
            case "comes":
                requested, lease_ends, heard = ("available", ""), NEVER, at
                yield from turn("available", "", at)
            case "heartbeat":
                heard = at
            case "client_died":
                lease_ends = heard + LEASE_MS
            case "goes":
                yield from turn(None, "", at)
            case "away" | "available":
                requested = (what, more)
                if state is not None:
                    yield from turn(what, more, at)
            case "wraps_up" if state is not None:
                wrap_up_ends = at + wrap_up_ms
                yield from turn("wrap_up", more, at)
            # Who misses a call while they are away is still away.
            case "misses" if state == "available":
                yield from turn("not_responding", "", at)
