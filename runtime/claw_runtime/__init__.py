"""The server of one instance: an assistant with tools, memory, skills, a workspace and limits.

It boots blank and is told by the operator whose it is. Read `routes/table.py` for what it can do, `turns/chat.py` for
how an answer comes about, `services.py` for how the rooms fit together, `database.py` for what happens when the
database is away.
"""
