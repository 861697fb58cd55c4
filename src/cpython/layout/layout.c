/* The tables of layouts, one for each minor version, and the kinds that go with them. Offsets are
 * generated (tools/layouts); which kind a version is of is written here, once. */
#include "cpython/layout/layout.h"

#include <stdio.h>

#include "base/err.h"
#include "cpython/layout/generated/layout_3_10.h"
#include "cpython/layout/generated/layout_3_11.h"
#include "cpython/layout/generated/layout_3_12.h"
#include "cpython/layout/generated/layout_3_13.h"
#include "cpython/layout/generated/layout_3_14.h"
#include "cpython/layout/generated/layout_3_15.h"
#include "cpython/layout/generated/layout_3_8.h"
#include "cpython/layout/generated/layout_3_9.h"
#include "cpython/layout/generated/opcodes_3_10.h"
#include "cpython/layout/generated/opcodes_3_11.h"
#include "cpython/layout/generated/opcodes_3_12.h"
#include "cpython/layout/generated/opcodes_3_13.h"
#include "cpython/layout/generated/opcodes_3_14.h"
#include "cpython/layout/generated/opcodes_3_15.h"
#include "cpython/layout/generated/opcodes_3_8.h"
#include "cpython/layout/generated/opcodes_3_9.h"

#define MINOR_FIRST 8
#define MINOR_LAST 15

/* level 0xF is "final" */
#define VERSION(minor_number)                                                                      \
	{                                                                                          \
		.major = 3, .minor = (minor_number), .level = 0xF                                  \
	}

static const uint8_t opcodes[MINOR_LAST - MINOR_FIRST + 1][256] = {
    [8 - MINOR_FIRST] = OPCODES_3_8,   [9 - MINOR_FIRST] = OPCODES_3_9,
    [10 - MINOR_FIRST] = OPCODES_3_10, [11 - MINOR_FIRST] = OPCODES_3_11,
    [12 - MINOR_FIRST] = OPCODES_3_12, [13 - MINOR_FIRST] = OPCODES_3_13,
    [14 - MINOR_FIRST] = OPCODES_3_14, [15 - MINOR_FIRST] = OPCODES_3_15,
};

static const struct layout tables[MINOR_LAST - MINOR_FIRST + 1] =
    {
	[8 - MINOR_FIRST] =
	    {
		.version = VERSION(8),
		.opcodes = opcodes[8 - MINOR_FIRST],
		.frame_link = FRAME_LINK_HEAP,
		.frame_position = POSITION_LASTI_BYTES,
		.frame_owner = OWNER_NONE,
		.frame_liveness = LIVENESS_EXECUTING,
		.line_table = LINE_TABLE_LNOTAB,
		.string_layout = STRING_LAYOUT_WSTR,
		.code_storage = CODE_BYTES_OBJECT,
		.gil_in_runtime = true,
		.gc_in_runtime = true,
		.at = LAYOUT_3_8_OFFSETS,
	    },
	[9 - MINOR_FIRST] =
	    {
		.version = VERSION(9),
		.opcodes = opcodes[9 - MINOR_FIRST],
		.frame_link = FRAME_LINK_HEAP,
		.frame_position = POSITION_LASTI_BYTES,
		.frame_owner = OWNER_NONE,
		.frame_liveness = LIVENESS_EXECUTING,
		.line_table = LINE_TABLE_LNOTAB,
		.string_layout = STRING_LAYOUT_WSTR,
		.code_storage = CODE_BYTES_OBJECT,
		.gil_in_runtime = true,
		.at = LAYOUT_3_9_OFFSETS,
	    },
	[10 - MINOR_FIRST] =
	    {
		.version = VERSION(10),
		.opcodes = opcodes[10 - MINOR_FIRST],
		.frame_link = FRAME_LINK_HEAP,
		.frame_position = POSITION_LASTI_UNITS,
		.frame_owner = OWNER_NONE,
		.frame_liveness = LIVENESS_STATE,
		.line_table = LINE_TABLE_310,
		.string_layout = STRING_LAYOUT_WSTR,
		.code_storage = CODE_BYTES_OBJECT,
		.gil_in_runtime = true,
		.at = LAYOUT_3_10_OFFSETS,
	    },
	[11 - MINOR_FIRST] =
	    {
		.version = VERSION(11),
		.opcodes = opcodes[11 - MINOR_FIRST],
		.frame_link = FRAME_LINK_CFRAME,
		.frame_position = POSITION_PREV_INSTR,
		.frame_owner = OWNER_311,
		.frame_liveness = LIVENESS_CALLER_STACKTOP,
		.line_table = LINE_TABLE_LOCATIONS,
		.string_layout = STRING_LAYOUT_WSTR,
		.code_storage = CODE_ADAPTIVE,
		.gil_in_runtime = true,
		.at = LAYOUT_3_11_OFFSETS,
	    },
	[12 - MINOR_FIRST] =
	    {
		.version = VERSION(12),
		.opcodes = opcodes[12 - MINOR_FIRST],
		.frame_link = FRAME_LINK_CFRAME,
		.frame_position = POSITION_PREV_INSTR,
		.frame_owner = OWNER_312,
		.frame_liveness = LIVENESS_CALLER_STACKTOP,
		.unlinks_before_clearing = true,
		.line_table = LINE_TABLE_LOCATIONS,
		.string_layout = STRING_LAYOUT_312,
		.code_storage = CODE_ADAPTIVE,
		.at = LAYOUT_3_12_OFFSETS,
	    },
	[13 - MINOR_FIRST] =
	    {
		.version = VERSION(13),
		.opcodes = opcodes[13 - MINOR_FIRST],
		.frame_link = FRAME_LINK_TSTATE,
		.frame_position = POSITION_INSTR_PTR,
		.frame_owner = OWNER_312,
		.frame_liveness = LIVENESS_CALLER_STACKTOP,
		.unlinks_before_clearing = true,
		.line_table = LINE_TABLE_LOCATIONS,
		.string_layout = STRING_LAYOUT_312,
		.code_storage = CODE_ADAPTIVE,
		.at = LAYOUT_3_13_OFFSETS,
	    },
	[14 - MINOR_FIRST] =
	    {
		.version = VERSION(14),
		.opcodes = opcodes[14 - MINOR_FIRST],
		.frame_link = FRAME_LINK_TSTATE,
		.frame_position = POSITION_INSTR_PTR,
		.frame_owner = OWNER_314,
		.frame_liveness = LIVENESS_EXECUTABLE,
		.unlinks_before_clearing = true,
		.line_table = LINE_TABLE_LOCATIONS,
		.string_layout = STRING_LAYOUT_312,
		.code_storage = CODE_ADAPTIVE,
		.executable_tagged = true,
		.at = LAYOUT_3_14_OFFSETS,
	    },
	[15 - MINOR_FIRST] =
	    {
		.version = VERSION(15),
		.opcodes = opcodes[15 - MINOR_FIRST],
		.frame_link = FRAME_LINK_TSTATE,
		.frame_position = POSITION_INSTR_PTR,
		.frame_owner = OWNER_314,
		.frame_liveness = LIVENESS_EXECUTABLE,
		.unlinks_before_clearing = true,
		.line_table = LINE_TABLE_LOCATIONS,
		.string_layout = STRING_LAYOUT_312,
		.code_storage = CODE_ADAPTIVE,
		.executable_tagged = true,
		.has_base_frame = true,
		.at = LAYOUT_3_15_OFFSETS,
	    },
};

const struct layout *layout_for_minor(int minor)
{
	if (minor < MINOR_FIRST || minor > MINOR_LAST)
		return NULL;
	return &tables[minor - MINOR_FIRST];
}

const char *layout_supported_versions(void)
{
	return "3.8 to 3.15";
}

struct python_version python_version_of(uint32_t version_hex)
{
	return (struct python_version){
	    .major = (uint8_t)(version_hex >> 24),
	    .minor = (uint8_t)(version_hex >> 16),
	    .micro = (uint8_t)(version_hex >> 8),
	    .level = (uint8_t)((version_hex >> 4) & 0xF),
	    .serial = (uint8_t)(version_hex & 0xF),
	};
}

uint32_t python_version_hex(const struct python_version *version)
{
	return (uint32_t)version->major << 24 | (uint32_t)version->minor << 16 |
	       (uint32_t)version->micro << 8 | (uint32_t)(version->level & 0xF) << 4 |
	       (uint32_t)(version->serial & 0xF);
}

void python_version_text(const struct python_version *version, char *text, size_t size)
{
	static const char *const levels[16] = {[0xA] = "a", [0xB] = "b", [0xC] = "rc"};
	const char *level = levels[version->level & 0xF];

	if (level == NULL)
		snprintf(text, size, "%u.%u.%u", version->major, version->minor, version->micro);
	else
		snprintf(text, size, "%u.%u.%u%s%u", version->major, version->minor, version->micro,
			 level, version->serial);
}

int layout_for_version(uint32_t version_hex, struct layout *ret_layout, struct err *err)
{
	struct python_version version = python_version_of(version_hex);
	const struct layout *table = version.major == 3 ? layout_for_minor(version.minor) : NULL;
	bool newer = version.major > 3 || (version.major == 3 && version.minor > MINOR_LAST);
	char text[32];
	int code;

	python_version_text(&version, text, sizeof(text));
	if (table == NULL) {
		code = err_set(err, ERR_NOT_PYTHON, "CPython %s is not supported", text);
		err_why(err, "this Pyrometer reads CPython %s", layout_supported_versions());
		if (newer)
			err_next(err,
				 "install a newer Pyrometer, or run the program under CPython 3.%d",
				 MINOR_LAST);
		else
			err_next(err, "run the program under CPython %s",
				 layout_supported_versions());
		return code;
	}
	if (version.level != 0xF && version.level != 0xC) {
		code = err_set(err, ERR_NOT_PYTHON, "CPython %s is not supported: a pre-release",
			       text);
		err_why(err, "where things lie changes from one alpha or beta to the next");
		err_next(err, "run the program under a release candidate or release of 3.%d",
			 version.minor);
		return code;
	}
	*ret_layout = *table;
	ret_layout->version = version;
	return 0;
}
