def deep():
    raise KeyError("broken")


deep()
