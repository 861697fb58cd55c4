/* pyproject.toml from memory: whatever the bytes, they are settings or an error with its line. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/config.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct err err = {.code = 0};
	config_init(&config);
	int rc = config_parse(&config, "pyproject.toml", (const char *)data, size, &err);
	if (rc != (err.code == 0 ? 0 : -err.code) || config.count > CONFIG_ENTRIES_MAX) {
		abort();
	}
	for (size_t i = 0; i < config.count; i++) {
		const struct config_entry *entry = &config.entries[i];
		if (entry->line < 1 || (entry->key == NULL && entry->command == NULL)) {
			abort();
		}
	}
	config_release(&config);
	return 0;
}
