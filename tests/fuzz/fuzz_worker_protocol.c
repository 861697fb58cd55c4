/* One line of a benchmark's process, not NUL-terminated: what is accepted has the shape that its
 * readers count on, and what is refused leaves nothing behind. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "bench/worker_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
	size_t texts, numbers;
} least[] = {
    [REPLY_LOADED] = {4, 1},	[REPLY_BLOCK] = {0, 3},	 [REPLY_COUNT] = {0, 3},
    [REPLY_ITEM] = {3, 0},	[REPLY_LISTED] = {0, 1}, [REPLY_LATENCIES] = {0, 0},
    [REPLY_LOAD_DONE] = {0, 1}, [REPLY_PING] = {0, 0},	 [REPLY_QUIT] = {0, 2},
    [REPLY_NOTE] = {1, 0},	[REPLY_FAILED] = {2, 0},
};

static void require(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct worker_reply reply;
	struct err err = {.code = 0};
	char *line = malloc(size ? size : 1);
	int result;

	if (!line)
		return 0;
	memcpy(line, data, size);
	result = worker_reply_parse(line, size, &reply, &err);
	free(line);
	if (result < 0) {
		require(err.code == ERR_TARGET && err.what[0]);
		return 0;
	}
	require(reply.kind <= REPLY_FAILED);
	require(reply.text_count >= least[reply.kind].texts);
	require(reply.number_count >= least[reply.kind].numbers);
	for (size_t i = 0; i < reply.text_count; i++)
		require(reply.texts[i] != NULL);
	worker_reply_release(&reply);
	return 0;
}
