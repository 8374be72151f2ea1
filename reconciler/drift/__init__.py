"""What others do to objects that Git states: noticed from the watch, told once with its author, healed or left alone.

A watch event makes an object a suspect. Once events have settled, what differs from Git is classified (kinds), and the
object's mode, the source's maintenance windows and the memory of earlier fights say what is done: it is healed, told,
or waits. A drift that is healed is confirmed by the effect of the apply, one that is left alone by a dry-run: a
difference that an apply does not change is no drift (rule 13). A slow full check finds what the watch has missed.
"""
