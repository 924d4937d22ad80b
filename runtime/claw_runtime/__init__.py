"""The server of one instance: chat with Claude, memory, skills, usage limits.

It boots blank and is told by the operator whose it is. Read `routes/table.py` for what it can do, `chat.py` for how an
answer comes about, `usage.py` for how it is counted, `database.py` for what happens when the database is away.
"""
