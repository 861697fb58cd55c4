/* A main for a fuzz target that replays a corpus instead of making input: every
 * file of the folders and files named on the command line goes once through
 * LLVMFuzzerTestOneInput. Prints how many; no file at all is a failure, since a
 * replay of nothing proves nothing. Not a fuzzer: -Dfuzz=true builds those.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX_BYTES = 64 << 20, DEPTH_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static long replayed;

static int replay_file(const char *path, size_t size_bytes)
{
	/* Exactly as large as the input, so that a sanitizer sees a read one past its end. */
	uint8_t *data = malloc(size_bytes ? size_bytes : 1);
	FILE *file = fopen(path, "rb");
	int ret = -1;

	if (!data || !file || fread(data, 1, size_bytes, file) != size_bytes) {
		fprintf(stderr, "%s: cannot be read\n", path);
		goto out;
	}
	LLVMFuzzerTestOneInput(data, size_bytes);
	replayed++;
	ret = 0;
out:
	if (file)
		fclose(file);
	free(data);
	return ret;
}

static int replay(const char *path, int depth);

static int replay_folder(const char *path, int depth)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);
	int ret = 0;

	if (count < 0) {
		fprintf(stderr, "%s: cannot be listed\n", path);
		return -1;
	}
	for (int i = 0; i < count; i++) {
		char child[4096];
		int length = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);

		if (entries[i]->d_name[0] != '.') {
			if (length < 0 || (size_t)length >= sizeof(child))
				ret = -1;
			else if (replay(child, depth + 1) < 0)
				ret = -1;
		}
		free(entries[i]);
	}
	free(entries);
	return ret;
}

static int replay(const char *path, int depth)
{
	struct stat status;

	if (stat(path, &status) < 0) {
		fprintf(stderr, "%s: is not there\n", path);
		return -1;
	}
	if (S_ISDIR(status.st_mode) && depth < DEPTH_MAX)
		return replay_folder(path, depth);
	if (S_ISREG(status.st_mode) && status.st_size <= INPUT_MAX_BYTES)
		return replay_file(path, (size_t)status.st_size);
	fprintf(stderr, "%s: neither a file of at most %d bytes nor a folder\n", path,
		INPUT_MAX_BYTES);
	return -1;
}

int main(int argc, char **argv)
{
	int ret = 0;

	for (int i = 1; i < argc; i++) {
		if (replay(argv[i], 0) < 0)
			ret = 1;
	}
	printf("%ld inputs replayed\n", replayed);
	if (replayed == 0) {
		fprintf(stderr, "no input: name a corpus folder that holds files\n");
		ret = 1;
	}
	return ret;
}
