from shop import stock
from shop import prices  # noqa: F401 - has only constants


def sell():
    return stock.take()
