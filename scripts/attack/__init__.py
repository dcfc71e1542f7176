"""What strangers may try on a running service and its page, with honest streams and viewers beside: `make attack`."""
