/* A program that has an interpreter inside: runs a script by the library's own functions. With
 * DLOPEN it loads the library by itself: stacks_embed LIBRARY SCRIPT; else it is linked to it:
 * stacks_embed SCRIPT. The functions are of the stable ABI: no header is needed. */
#include <stdio.h>
#include <stdlib.h>

#ifdef DLOPEN
#include <dlfcn.h>

static void *function(void *library, const char *name)
{
	void *found = dlsym(library, name);

	if (found == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return found;
}
#else
void Py_Initialize(void);
int PyRun_SimpleString(const char *source);
#endif

int main(int argc, char **argv)
{
	char source[4096];
	const char *script = argv[argc - 1];

	snprintf(source, sizeof(source),
		 "exec(compile(open('%s', encoding='utf-8').read(), '%s', 'exec'))\n", script,
		 script);
#ifdef DLOPEN
	void *library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);

	if (library == NULL) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	((void (*)(void))function(library, "Py_Initialize"))();
	return ((int (*)(const char *))function(library, "PyRun_SimpleString"))(source);
#else
	Py_Initialize();
	return PyRun_SimpleString(source);
#endif
}
