"""A stand-in for Claude that speaks the Messages API: whole answers, streams, tools, token counts, errors.

It understands nothing. It says in every answer that it is a stand-in, and echoes what arrived, so that a person sees
that history and system prompt do, and a test can prove it.

    requests ── reply ── events      a request, the message that answers it, the stream that tells it
        │
    protocol ── server               keys, versions, errors as Anthropic words them; the routes
        │
    script, cache, websearch         what it is told to answer, what a prompt costs, what a search finds
    calls                            what was asked, for those who want to look

The judge is the `anthropic` library: tests/contract/test_claude_simulator.py.
"""
