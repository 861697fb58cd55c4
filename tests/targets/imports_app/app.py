"""A program whose imports are known: what tests/cli/test_imports.py expects of it is beside each
import below, and in its packages."""

import importlib
import importlib.util
import os
import threading

import shop  # slow, used, with a part that is not
import shop_unused  # none of its functions runs


def main():
    import shop_later  # at first use

    return shop_later.answer()


importlib.import_module("shop_by_name")

place = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shop_plugin.py")
spec = importlib.util.spec_from_file_location("shop_plugin", place)
spec.loader.exec_module(importlib.util.module_from_spec(spec))

main()
shop.sell()
in_thread = threading.Thread(target=lambda: __import__("shop_in_thread"))
in_thread.start()
in_thread.join()
try:
    import shop_missing
except ImportError:
    shop_missing = None
print("sold")
