"""A turn: somebody says something, and the assistant answers, with tools if need be.

chat                    one turn: open, brief, reserve, think, record
exchange                what is asked and what is answered
turn, recording         what there is of a turn while it lasts; its end, all of it or nothing
agents                  who is asked
strands, history        the conversation that a question continues; how much of it the model reads
conversations           the same as the customer reads it
compaction              when a conversation has become too long to be read with each question
prompt, briefing        what the model is told beforehand; where that comes from
loop, bounds            thinking: the model, the tools it asks for, the model again; how far that goes
messages, draft, model  the Messages API: its shapes, an answer that arrives, the only file that knows the client
confirmations           what is done only when the customer says so
idempotency             a question that is sent twice is answered once
listening               whoever waits for the answer
"""
