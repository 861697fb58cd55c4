"""Prints what a program can see of how it was started: the same with a probe and without."""

import re
import sys


def shown(value):
    return re.sub("0x[0-9a-f]+", "0x", repr(value))


main = sys.modules["__main__"]
names = [(name, shown(value)) for name, value in sorted(vars(main).items())]
sys.stdout.write("globals %s\n" % names)
sys.stdout.write("loader path %r\n" % getattr(main.__loader__, "path", None))
for name in ("argv", "path", "flags", "meta_path", "path_hooks", "excepthook", "displayhook",
             "warnoptions", "_xoptions", "orig_argv", "builtin_module_names"):
    sys.stdout.write("%s %s\n" % (name, shown(getattr(sys, name, None))))
sys.stdout.write("modules %s\n" % sorted(sys.modules))
sys.stdout.write("path_importer_cache %s\n" % sorted(sys.path_importer_cache))
sys.stdout.write("builtins %s\n" % sorted(dir(__builtins__)))
sys.stdout.write("trace %r profile %r\n" % (sys.gettrace(), sys.getprofile()))
first_free = open(__file__)
sys.stdout.write("first free descriptor %d\n" % first_free.fileno())
if "fail" in sys.argv:
    import seen_broken  # noqa: F401
if "exit" in sys.argv:
    sys.exit("leaving")
if "status" in sys.argv:
    sys.exit(7)
