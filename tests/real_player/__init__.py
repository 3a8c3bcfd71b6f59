"""A real player against the real daemon: mpv plays a film, and its pings must be right to the second."""
