"""The laboratory: a demonstration with declared people, keys and mail, and a client that acts out the main job.

Nothing of it runs in the server proper, but the lab PKI where `[lab]` asks for it. Concrete stores are opened by the
command line and handed in.
"""
