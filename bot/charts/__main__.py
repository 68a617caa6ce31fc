"""The process that draws: what is asked for as JSON on stdin, the PNG on stdout."""

import json
import sys

from bot.charts.drawing import DRAWINGS

if __name__ == "__main__":
    asked = json.load(sys.stdin.buffer)
    sys.stdout.buffer.write(DRAWINGS[asked.pop("kind")](**asked))
