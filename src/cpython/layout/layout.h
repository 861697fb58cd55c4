/* Where things lie inside one build of CPython, and of which kind they are.
 * The only place where interpreter versions are told apart: everything else asks
 * for a field's offset (-1: this version has no such field) or for a kind.
 *
 * Offsets come from generated tables (generated/layout_3_N.h: offsetof probes compiled with that
 * version's own headers, CPython 3.8–3.15, x86-64 GIL release builds); on 3.13+ the target's own
 * _Py_DebugOffsets (Include/internal/pycore_debug_offsets.h, pycore_runtime.h before 3.14),
 * validated as untrusted input, override and cross-check them.
 */
#ifndef CPYTHON_LAYOUT_LAYOUT_H
#define CPYTHON_LAYOUT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct python_version {
	uint8_t major, minor, micro;
	uint8_t level; /* PY_VERSION_HEX: 0xA alpha 0xB beta 0xC candidate 0xF final */
	uint8_t serial;
};

/* How the running frame is found and linked. */
enum frame_link_kind {
	FRAME_LINK_HEAP = 1, /* 3.8–3.10: tstate->frame, PyFrameObject on the heap, f_back */
	FRAME_LINK_CFRAME,   /* 3.11, 3.12: tstate->cframe->current_frame (cframe on the C stack) */
	FRAME_LINK_TSTATE,   /* 3.13+: tstate->current_frame */
};
/* What the frame's position field holds. */
enum frame_position_kind {
	POSITION_LASTI_BYTES = 1, /* 3.8, 3.9: int f_lasti, bytes */
	POSITION_LASTI_UNITS,	  /* 3.10: int f_lasti, 2-byte units */
	POSITION_PREV_INSTR, /* 3.11, 3.12: pointer to the last instruction (may stand on a CACHE)
			      */
	POSITION_INSTR_PTR,  /* 3.13+: pointer to the current instruction */
};
/* What frame->owner says (0: no such field). */
enum frame_owner_kind {
	OWNER_NONE = 0, /* 3.8–3.10 */
	OWNER_311,	/* 0 thread, 1 generator, 2 frame object; entry frames by is_entry */
	OWNER_312,	/* the same and 3 = C stack (shim) */
	OWNER_314,	/* 0 thread, 1 generator, 2 frame object, 3 interpreter (shim), 4 C stack */
};
/* What tells, in the frames alone, whether a call is still going on. */
enum frame_liveness_kind {
	LIVENESS_EXECUTING = 1,	  /* 3.8, 3.9: the callee's f_executing is 1 */
	LIVENESS_STATE,		  /* 3.10: the callee's f_state is 0 */
	LIVENESS_CALLER_STACKTOP, /* 3.11–3.13: the caller's stacktop is ≥ 0 while it waits for a
				     Python callee that it entered without C in between */
	LIVENESS_EXECUTABLE,	  /* 3.14+: a dead frame's f_executable is the null reference */
};
enum line_table_kind {
	LINE_TABLE_LNOTAB = 1, /* 3.8, 3.9: Objects/lnotab_notes.txt */
	LINE_TABLE_310,	       /* 3.10: PEP 626 */
	LINE_TABLE_LOCATIONS,  /* 3.11+: PEP 657, Objects/locations.md */
};
enum string_layout_kind {
	STRING_LAYOUT_WSTR = 1, /* 3.8–3.11: PyASCIIObject with wstr; state bits interned:2 kind:3
				   compact:1 ascii:1 ready:1 */
	STRING_LAYOUT_312, /* 3.12+: no wstr, no ready; 3.14 widens interned: see state_* shifts */
};
enum code_storage_kind {
	CODE_BYTES_OBJECT = 1, /* 3.8–3.10: co_code is a bytes object */
	CODE_ADAPTIVE,	       /* 3.11+: co_code_adaptive inline, at the end of the object */
};

#define LAYOUT_FIELD(name) int32_t name;
/* Sizes and offsets in bytes; -1 = not in this version. The list with its
 * meaning is layout_fields.def: X(group_field). */
struct layout_offsets {
#include "cpython/layout/layout_fields.def"
};
#undef LAYOUT_FIELD

/* What an instruction can have above it, in bits 0 and 1 of layout.opcodes[number]; all members of
 * a family (specialised forms) have the class of the one that can do most. Bits 4 to 7: how many
 * code units of inline cache follow it (3.11+). tools/layouts/calling_opcodes.py. */
enum opcode_class {
	OPCODE_PURE = 0,   /* nothing: it moves references and drops none */
	OPCODE_DROPS = 1,  /* finalisers, signal handlers */
	OPCODE_ENTERS = 2, /* Python functions through C: operators, attributes, iteration */
	OPCODE_CALLS = 3, /* Python functions, with (before 3.11: always) or without C in between */
	OPCODE_CLASS = 3, /* mask */
	OPCODE_RESUMES = 1 << 2, /* may go on with a generator */
	OPCODE_HIDES = 1 << 3,	 /* stands for another instruction: its caches can't be told */
};
#define OPCODE_CACHES_SHIFT 4

/* A field that the target's own table puts elsewhere than ours does. */
struct layout_difference {
	const char *field;     /* "interpreter_state.threads_head", static */
	int32_t table, target; /* bytes */
};
#define LAYOUT_DIFFERENCES_MAX 8 /* kept by name; all are counted */

struct layout {
	struct python_version version;
	enum frame_link_kind frame_link;
	enum frame_position_kind frame_position;
	enum frame_owner_kind frame_owner;
	enum frame_liveness_kind frame_liveness;
	bool unlinks_before_clearing; /* 3.12+: a frame being left is cleared after its caller is
					 current again, while it still stands on its return */
	const uint8_t *opcodes;	      /* [256]: enum opcode_class */
	enum line_table_kind line_table;
	enum string_layout_kind string_layout;
	enum code_storage_kind code_storage;
	bool executable_tagged; /* 3.14+: mask the low bits of f_executable: & ~3 */
	bool gil_in_runtime; /* 3.8–3.11: the GIL is in _PyRuntime; 3.12+: behind interp.gil_ptr */
	bool gc_in_runtime;  /* 3.8 */
	bool has_base_frame;	   /* 3.15: a sentinel frame lies in the thread state */
	bool from_debug_offsets;   /* offsets were overridden by the target's own */
	uint16_t difference_count; /* fields that the override changed (sizes too): for doctor */
	struct layout_difference differences[LAYOUT_DIFFERENCES_MAX];
	struct layout_offsets at;
};

/* The table for a minor version 8–15, NULL for any other. */
const struct layout *layout_for_minor(int minor);

/* "3.8 to 3.15", for messages. */
const char *layout_supported_versions(void);

/* A version as PY_VERSION_HEX (0x030c01f0) has it, and back. */
struct python_version python_version_of(uint32_t version_hex);
uint32_t python_version_hex(const struct python_version *version);
/* "3.12.1", "3.15.0rc2" */
void python_version_text(const struct python_version *version, char *text, size_t size);

/* A copy of the table for a version, with `version` filled in. -ERR_NOT_PYTHON, with what to try,
 * for a version that no table fits: too old, too new, or an alpha or beta (their layouts change
 * from one to the next). */
int layout_for_version(uint32_t version_hex, struct layout *ret_layout, struct err *err);

/* _Py_DebugOffsets, which starts _PyRuntime on 3.13+. */
#define DEBUG_OFFSETS_COOKIE "xdebugpy"
#define DEBUG_OFFSETS_HEAD_SIZE 24  /* cookie, version, free_threaded: the same in every version */
#define DEBUG_OFFSETS_SIZE_MAX 4096 /* enough for every known shape (the largest has 888 bytes) */

/* What the head of the block says, whatever the version. false: no such block (no cookie). */
bool debug_offsets_head(const uint8_t *image, size_t size, uint32_t *ret_version_hex,
			bool *ret_free_threaded);

/* The size of the block in this layout's version; 0 before 3.13. */
size_t debug_offsets_size(const struct layout *layout);

/* Overrides `layout` (a copy of the table's) by a _Py_DebugOffsets image of `size` bytes read at
 * the start of _PyRuntime, and notes what differs from the table. Untrusted: every offset + width
 * is checked against the size that the block itself reports for that structure, the size against
 * stated bounds. -ERR_NOT_PYTHON with the field named when it does not fit, is of another
 * version or says free-threaded; the layout is then as it was. */
int layout_apply_debug_offsets(struct layout *layout, const uint8_t *image, size_t size,
			       struct err *err);

#endif
