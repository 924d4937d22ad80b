"""A turn: somebody says something, and the assistant answers, with tools if need be.

chat            one turn: reserve, think, record, settle
loop            thinking: the model, the tools it asks for, the model again
model           Claude; the only file that knows the client
prompt          what the model is told beforehand
conversations   what was said, and its agents'
compaction      when a conversation has become too long to be read with each question
"""
