"""What both sides of the socket agree on."""

VERSION = 1  # one more whenever a command of one release could misread the daemon of another
MAX_REQUEST_BYTES = 16 * 1024  # `queue drop` with a thousand ids
MAX_ANSWER_BYTES = 4 * 1024 * 1024  # 500 targets of 6 KiB, the longest page of `queue list`
