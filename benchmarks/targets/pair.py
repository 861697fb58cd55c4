"""Two functions of the same body, called in turn: their true shares are equal.

    pair.py ADDITIONS

Prints READY; ends by a signal.
"""

import sys

SOURCE = """
def f(x):
    {body}

def g(x):
    {body}

def loop():
    while True:
        f(0); g(0)
"""


def main():
    additions = int(sys.argv[1])
    body = "; ".join(["x += 1"] * additions) or "pass"
    names = {}
    exec(compile(SOURCE.format(body=body), "pair_body.py", "exec"), names)
    print("READY", flush=True)
    names["loop"]()


if __name__ == "__main__":
    main()
