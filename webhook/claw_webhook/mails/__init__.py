"""Mails: owed in the outbox, put into words, and sent, each once for its cause. Start at `outbox.py`."""
