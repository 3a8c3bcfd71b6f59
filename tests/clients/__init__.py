"""Players' clients against the real daemon, which is killed, stopped and started under them."""
