"""The User-Agent that identifies the program to sites, and the preparation of robots.txt."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from ...errors import ConfigError

PRODUCT = "beets-tempo"  # name in the User-Agent and in rules of robots.txt
MAX_ROBOTS_LENGTH = 500_000  # [characters] longer files are cut; RFC 9309, 2.5: at least 500 KiB
MAX_WILDCARDS = 6  # in a rule of robots.txt, because the time to match grows steeply with them


def user_agent(contact: str = "") -> str:
    """Make the User-Agent from program, version, and an address for contact, which may be empty.

    Raises
    ------
    ConfigError
        If the contact is not plain ASCII on one line.
    """
    try:
        number = version(PRODUCT)
    except PackageNotFoundError:
        number = "0"
    if not contact.isprintable() or not contact.isascii():
        raise ConfigError(f"contact is {contact!r}; give an address in plain ASCII, on one line")
    return f"{PRODUCT}/{number} (beets plugin{'; ' + contact if contact else ''})"


def plain_rules(robots: str) -> str:
    """Simplify rules of a robots.txt that have too many wildcards to be matched in reasonable time.

    Of such a rule that disallows, only the beginning is kept, which disallows more. One that allows
    is removed.
    """
    lines = []
    for line in robots.splitlines():
        if line.count("*") > MAX_WILDCARDS:
            name = line.partition(":")[0].strip().lower()
            line = "*".join(line.split("*")[:MAX_WILDCARDS]) if name == "disallow" else ""
        lines.append(line)
    return "\n".join(lines)
