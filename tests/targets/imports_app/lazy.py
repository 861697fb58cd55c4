import sys

lazy import shop_later
lazy import shop_by_name


def first_use():
    return shop_later.answer()


print(first_use(), "shop_by_name" in sys.modules)
