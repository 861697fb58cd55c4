import shop_plugin_part  # noqa: F401
