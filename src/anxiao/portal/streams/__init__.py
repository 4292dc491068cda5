"""Live figures: boards and walls that are told what changed, over one connection a viewer (docs/adr/0014).

``tickets``  what a page may listen to, sealed by the view that rendered it
``sight``    what is read for a page, and whether it has to be read again
``hub``      the listeners of this process and the one thread that looks for all of them
``door``     the addresses under ``/streams/``, served by ASGI beside Django
"""
