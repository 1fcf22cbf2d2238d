"""How the process shows itself: its logs and its probes."""
