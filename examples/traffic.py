"""Calls the demo services a few times a second until it is killed: traffic.py URL..."""
import random
import sys
import time
import urllib.error
import urllib.request

PATHS = ['/'] * 6 + ['/remote'] * 3 + ['/missing']
bases = sys.argv[1:]
while True:
    try:
        with urllib.request.urlopen(random.choice(bases) + random.choice(PATHS), timeout=5) as reply:
            reply.read()
    except (urllib.error.URLError, OSError):
        pass
    time.sleep(random.expovariate(5))
