/* The texts of python/pyrometer/_*.py, which run inside the user's interpreter: built into the
 * program by tools/build/embed_texts.py, so that it finds them wherever it lies and whatever the
 * interpreter has installed. A new file `_name.py` needs its two lines here, and the build
 * configured again. */
#ifndef BENCH_EMBEDDED_H
#define BENCH_EMBEDDED_H

#include <stddef.h>

/* Python source, UTF-8, NUL-terminated; the size is without the NUL. */
extern const char embedded_imports[];
extern const size_t embedded_imports_size;
extern const char embedded_worker[];
extern const size_t embedded_worker_size;

#endif
