"""The sync engine: pure decisions about what a client is to be told.

Theory of operation. A client holds a *view* of a collection under the SyncKey it presents (`model.view.View`): a
Token as of which it is up to date, the items it holds, exceptions, and how far down the backlog was sent. The store
tells what changed since that Token, the next page of the backlog, and what has aged out of the filter. `window.plan`
turns these into *steps* (Add, Change, Delete, SoftDelete); as many of them as fit are sent, and `Plan.after(n)` is the
view that the client then holds. The next view is always what the client held plus what was sent, never the listing.

Invariants, which `tests/properties/test_sync_*.py` hold against a store, clients that lose replies, and other writers:

* convergence: a client that goes on asking ends with what the filter lets through, each item in its present revision;
* idempotence: nothing changed, nothing planned;
* an Add names an item that the client does not hold, all else one that it does;
* the view under a key equals what a client that got every answer up to that key holds;
* lost replies and repeated requests change nothing: planning is a function of the presented view;
* no echo: under the key that answered its write a client does not receive that write back;
* MoreAvailable exactly when steps remain.
"""
