"""Who is told what: from events to incidents, from incidents to messages, from messages to receivers.

Events go in one way (`Alerts` is a sink); nothing here calls back. What a receiver was told and what is so are
compared, again and again, and the difference is the next message. So a receiver that is down costs nobody anything, a
full queue is one line for each object, and a daemon that was killed goes on with what is on record.
"""
