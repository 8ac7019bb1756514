"""Asking sites for pages: politely, within limits, and without telling them secrets."""
