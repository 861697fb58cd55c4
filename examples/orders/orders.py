"""A day's orders of a shop: read them, drop what came twice, price them, ask for stock.

Works, prints the right answer, and is slow for a reason that is easy to overlook.
Python 3.8 and later, nothing to install: python3 orders.py [ORDERS]
"""

import json
import socket
import sys
import threading
import time

ORDERS = 32000
BATCHES = 20
STOCK_DELAY_S = 0.04
PRODUCTS = {"P%03d" % number: 0.5 + number * 0.25 for number in range(400)}


def read_orders(count):
    """What arrived, as lines of JSON; about one in nine is sent twice. Always the same."""
    state = 12345
    recent = []
    for number in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        if recent and state % 9 == 0:
            yield recent[state % len(recent)]
            continue
        lines = [
            {"product": "P%03d" % (state // step % 400), "pieces": 1 + state // step % 7}
            for step in (11, 101, 1009)
        ]
        recent.append(json.dumps({"id": "order-%010d-%05d" % (state, number), "lines": lines}))
        yield recent[-1]


def match(texts):
    """Each order once, in the order in which they came."""
    seen = []
    orders = []
    for text in texts:
        order = json.loads(text)
        if order["id"] in seen:
            continue
        seen.append(order["id"])
        orders.append(order)
    return orders


def price(order):
    total = 0.0
    for line in order["lines"]:
        discount = 0.9 if line["pieces"] >= 5 else 1.0
        total += PRODUCTS[line["product"]] * line["pieces"] * discount
    return round(total, 2)


def serve_stock(connection):
    """The warehouse at the other end of a socket: takes its time over each question."""
    with connection:
        while connection.recv(4096):
            time.sleep(STOCK_DELAY_S)
            connection.sendall(b"in stock")


def ask_for_stock(connection, products):
    connection.sendall(" ".join(products).encode())
    return connection.recv(4096) == b"in stock"


def main(count):
    orders = match(list(read_orders(count)))
    totals = sorted((price(order) for order in orders), reverse=True)

    here, there = socket.socketpair()
    warehouse = threading.Thread(target=serve_stock, args=(there,), name="warehouse")
    warehouse.start()
    products = sorted(PRODUCTS)
    answers = [ask_for_stock(here, products[start::BATCHES]) for start in range(BATCHES)]
    here.close()
    warehouse.join()

    print("%d orders, %.2f in all, the largest %.2f" % (len(orders), sum(totals), totals[0]))
    print("%d of %d batches are in stock" % (sum(answers), BATCHES))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)
