"""What both sides of the socket agree on."""

VERSION = 1
MAX_REQUEST_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 4 * 1024 * 1024
