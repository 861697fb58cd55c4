import time

try:
    from shop._stock import take  # its compiled half, which is not there
except ImportError:
    from shop.stock_slow import take  # noqa: F401

with open(__file__) as own_text:  # work at import time
    TEXT = own_text.read()
time.sleep(0.05)


def never():
    return TEXT
