"""The programs that are compared: a number of equal units of work, so that a slowdown is so many
units more and its true size is known by counting.

Each text holds `UNITS = %d` and defines work(); what every tool wants around it is added by
peers.py. The time outside the units is less than a thousandth.
"""

COUNT = '''
WORDS = ["w%d" % (number * 7919 % 101) for number in range(40)]

def work():
    for _ in range(UNITS):
        counts = {}
        for word in WORDS:
            counts[word] = counts.get(word, 0) + 1
        sorted(counts)
'''

TEXT = '''
import json
ROW = {"name": "orders", "rows": [1, 2.5, None, "x" * 30], "open": True}

def work():
    for _ in range(UNITS):
        json.loads(json.dumps(ROW))
'''

OBJECTS = '''
class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def moved(self, by):
        return Point(self.x + by, self.y - by)

def work():
    for _ in range(UNITS):
        point = Point(1, 2)
        for step in range(20):
            point = point.moved(step)
'''

NUMBERS = '''
NUMBERS = list(range(60))

def work():
    for _ in range(UNITS):
        sum(number * number % 7 for number in NUMBERS)
'''

# name: (text, units): one call takes between half a millisecond and five
WORKLOADS = {
    "count": (COUNT, 100),
    "text": (TEXT, 50),
    "objects": (OBJECTS, 50),
    "numbers": (NUMBERS, 100),
}
NAMES = sorted(WORKLOADS)


def program(name, slower):
    """The text with that part more units: 0.02 is 2 %."""
    text, units = WORKLOADS[name]
    more = units * slower
    scale = 1
    while abs(more * scale - round(more * scale)) > 1e-9:
        scale += 1
    return "UNITS = %d\n%s" % (round(units * scale * (1 + slower)), text), units * scale


def pair(name, slower):
    """Texts of A and B."""
    b, scaled = program(name, slower)
    return "UNITS = %d\n%s" % (scaled, WORKLOADS[name][0]), b
