"""Command `tempo-core demo-site`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from ..console import FiniteRange
from .command import Command
from .options import FILE


@click.command("demo-site", cls=Command, short_help="Serve a site to try `labels` on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True)
@click.option("--catalogue", type=FILE, help="JSON file of what to serve.")
@click.option("--decoys/--no-decoys", default=True, help="Surround each song with other versions.")
@click.option("--crawl-delay", type=FiniteRange(min=0), help="Ask for this in robots.txt [s].")
def demo_site(port: int, catalogue: Path | None, decoys: bool, crawl_delay: float | None) -> None:
    """Serve a song-information site on this machine, to try `labels` on.

    It prints the address of each source and serves until it is interrupted. Every request can be
    seen at /hits.
    """
    from ..labels.demo_site import CATALOGUE, ROBOTS, DemoSite, read_catalogue

    robots = ROBOTS + (f"Crawl-delay: {crawl_delay:g}\n" if crawl_delay is not None else "")
    entries = CATALOGUE if catalogue is None else read_catalogue(catalogue)
    with DemoSite(entries, with_decoys=decoys, port=port, robots=robots) as site:
        for name, url in site.urls.items():
            click.echo(f"{name}: {url}")
        click.echo(f"every request: {site.url}/hits; stop with Ctrl-C")
        sys.stdout.flush()
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            click.echo("")
