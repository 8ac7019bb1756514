"""Requests to sites: polite, with limits of time and size, and without leaking secrets."""
