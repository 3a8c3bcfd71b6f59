"""The tests."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that a shell started in the background ignores SIGINT, and so would all that it starts: tests
    # that end a program with it would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
