"""What a program tells a site about itself, and what robots.txt tells the program."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ...errors import ConfigError

PRODUCT = "beets-tempo"  # also the name that robots.txt is asked about
MAX_ROBOTS_LENGTH = 500_000  # [characters] RFC 9309, 2.5: at least 500 KiB; what is longer is cut
MAX_WILDCARDS = 6  # in a rule of robots.txt: to match more of them takes for ever


def user_agent(contact: str = "") -> str:
    """The User-Agent: program, version, and whom a site may turn to.

    Raises
    ------
    ConfigError
        If the contact would not fit into one line.
    """
    try:
        number = version(PRODUCT)
    except PackageNotFoundError:
        number = "0"
    if not contact.isprintable() or not contact.isascii():
        raise ConfigError(f"contact is {contact!r}; give an address in plain ASCII, on one line")
    return f"{PRODUCT}/{number} (beets plugin{'; ' + contact if contact else ''})"


def plain_rules(robots: str) -> str:
    """A robots.txt without rules that take for ever to match: these forbid as much as their
    beginning does, and allow nothing."""
    lines = []
    for line in robots.splitlines():
        if line.count("*") > MAX_WILDCARDS:
            name = line.partition(":")[0].strip().lower()
            line = "*".join(line.split("*")[:MAX_WILDCARDS]) if name == "disallow" else ""
        lines.append(line)
    return "\n".join(lines)
