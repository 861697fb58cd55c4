/* The layout probe: prints, as a C header, where every field of layout_fields.def lies in the
 * CPython version whose headers this file is compiled with. Run by generate.sh, never part of
 * the program. Offsets come from offsetof; the positions of bit fields from setting one and looking
 * which bits changed. It is linked with nothing of Python: only types are used.
 */
#define Py_BUILD_CORE 1
#include <Python.h>

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#if PY_VERSION_HEX < 0x03090000
#include "internal/pycore_pystate.h"
#include <frameobject.h>
#elif PY_VERSION_HEX < 0x030b0000
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#include <frameobject.h>
#else
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#endif
#if PY_VERSION_HEX >= 0x030e0000
#include "internal/pycore_debug_offsets.h"
#include "internal/pycore_interpframe.h"
#include "internal/pycore_interpframe_structs.h"
#include "internal/pycore_tstate.h"
#endif

#ifdef Py_GIL_DISABLED
#error "The tables are those of builds with a GIL"
#endif
#ifdef Py_DEBUG
#error "The tables are those of release builds"
#endif

#define MINOR ((PY_VERSION_HEX >> 16) & 0xFF)
#define ABSENT (-1)

/* Before 3.11 the keys object is declared in Objects/dict-common.h, which is not installed. This
 * says the same, field for field; the tests compare it with the interpreters' own debug
 * information. */
#if MINOR <= 10
struct probe_dict_keys {
	Py_ssize_t dk_refcnt, dk_size;
	void *dk_lookup;
	Py_ssize_t dk_usable, dk_nentries;
	char dk_indices[];
};
#else
#define probe_dict_keys _dictkeysobject
#endif

/* _PyRuntimeState */
typedef _PyRuntimeState T_runtime;
#define P_runtime_size sizeof(T_runtime)
#define P_runtime_interpreters_head offsetof(T_runtime, interpreters.head)
#define P_runtime_interpreters_main offsetof(T_runtime, interpreters.main)
#if MINOR == 8
#define P_runtime_finalizing offsetof(T_runtime, finalizing)
#define P_runtime_gc_collecting offsetof(T_runtime, gc.collecting)
#else
#define P_runtime_finalizing offsetof(T_runtime, _finalizing)
#define P_runtime_gc_collecting ABSENT
#endif
#if MINOR <= 11
#define P_runtime_gil_locked offsetof(T_runtime, ceval.gil.locked)
#define P_runtime_gil_last_holder offsetof(T_runtime, ceval.gil.last_holder)
#define P_runtime_gil_struct offsetof(T_runtime, ceval.gil)
#else
#define P_runtime_gil_locked ABSENT
#define P_runtime_gil_last_holder ABSENT
#define P_runtime_gil_struct ABSENT
#endif

#if MINOR <= 10
#define P_runtime_main_interpreter ABSENT
#else
#define P_runtime_main_interpreter offsetof(T_runtime, _main_interpreter)
#endif

/* PyInterpreterState */
typedef PyInterpreterState T_interp;
#if MINOR == 8
#define P_interp_size sizeof(struct _is)
#else
#define P_interp_size sizeof(T_interp)
#endif
#define P_interp_next offsetof(T_interp, next)
#define P_interp_id offsetof(T_interp, id)
#if MINOR <= 10
#define P_interp_threads_head offsetof(T_interp, tstate_head)
#else
#define P_interp_threads_head offsetof(T_interp, threads.head)
#endif
#if MINOR >= 13
#define P_interp_threads_main offsetof(T_interp, threads.main)
#else
#define P_interp_threads_main ABSENT
#endif
#if MINOR <= 11
#define P_interp_modules offsetof(T_interp, modules)
#define P_interp_gil_ptr ABSENT
#else
#define P_interp_modules offsetof(T_interp, imports.modules)
#define P_interp_gil_ptr offsetof(T_interp, ceval.gil)
#endif
#if MINOR == 8
#define P_interp_gc_collecting ABSENT
#define P_interp_runtime ABSENT
#else
#define P_interp_runtime offsetof(T_interp, runtime)
#define P_interp_gc_collecting offsetof(T_interp, gc.collecting)
#endif
#if MINOR >= 14
#define P_interp_code_generation offsetof(T_interp, _code_object_generation)
#else
#define P_interp_code_generation ABSENT
#endif

#define P_gil_size sizeof(struct _gil_runtime_state)
#define P_gil_locked offsetof(struct _gil_runtime_state, locked)
#define P_gil_last_holder offsetof(struct _gil_runtime_state, last_holder)

/* PyThreadState */
typedef PyThreadState T_tstate;
#define P_tstate_size sizeof(struct _ts)
#define P_tstate_next offsetof(T_tstate, next)
#define P_tstate_prev offsetof(T_tstate, prev)
#define P_tstate_interp offsetof(T_tstate, interp)
#define P_tstate_thread_id offsetof(T_tstate, thread_id)
#define P_tstate_id offsetof(T_tstate, id)
#define P_tstate_frame ABSENT
#define P_tstate_cframe ABSENT
#define P_tstate_current_frame ABSENT
#define P_tstate_base_frame ABSENT
#if MINOR <= 10
#undef P_tstate_frame
#define P_tstate_frame offsetof(T_tstate, frame)
#define P_tstate_native_thread_id ABSENT
#define P_tstate_datastack_chunk ABSENT
#define P_tstate_datastack_top ABSENT
#define P_tstate_datastack_limit ABSENT
#define P_chunk_previous ABSENT
#define P_chunk_size ABSENT
#define P_chunk_top ABSENT
#define P_chunk_data ABSENT
#else
#define P_tstate_native_thread_id offsetof(T_tstate, native_thread_id)
#define P_tstate_datastack_chunk offsetof(T_tstate, datastack_chunk)
#define P_tstate_datastack_top offsetof(T_tstate, datastack_top)
#define P_tstate_datastack_limit offsetof(T_tstate, datastack_limit)
#define P_chunk_previous offsetof(_PyStackChunk, previous)
#define P_chunk_size offsetof(_PyStackChunk, size)
#define P_chunk_top offsetof(_PyStackChunk, top)
#define P_chunk_data offsetof(_PyStackChunk, data)
#endif
#if MINOR == 11 || MINOR == 12
#undef P_tstate_cframe
#define P_tstate_cframe offsetof(T_tstate, cframe)
#define P_cframe_size sizeof(_PyCFrame)
#define P_cframe_current_frame offsetof(_PyCFrame, current_frame)
#define P_cframe_previous offsetof(_PyCFrame, previous)
#else
#define P_cframe_size ABSENT
#define P_cframe_current_frame ABSENT
#define P_cframe_previous ABSENT
#endif
#if MINOR >= 13
#undef P_tstate_current_frame
#define P_tstate_current_frame offsetof(T_tstate, current_frame)
#endif
#if MINOR >= 14
#define P_tstate_holds_gil offsetof(T_tstate, holds_gil)
#else
#define P_tstate_holds_gil ABSENT
#endif
#if MINOR >= 15
#undef P_tstate_base_frame
#define P_tstate_base_frame offsetof(T_tstate, base_frame)
#endif
#if MINOR <= 11
#define P_tstate_current_exception offsetof(T_tstate, curexc_type)
#else
#define P_tstate_current_exception offsetof(T_tstate, current_exception)
#endif

/* Opcodes after which a frame's saved stack pointer does not mean that it waits for a callee */
#if MINOR >= 13
#include <opcode_ids.h>
#elif MINOR >= 11
#include <opcode.h>
#endif
#if MINOR >= 11
#define P_opcode_return_value RETURN_VALUE
#define P_opcode_return_generator RETURN_GENERATOR
#define P_opcode_yield_value YIELD_VALUE
#define P_opcode_resume RESUME
#define P_opcode_pop_top POP_TOP
#define P_opcode_raise_varargs RAISE_VARARGS
#define P_opcode_reraise RERAISE
#else
#define P_opcode_return_value ABSENT
#define P_opcode_return_generator ABSENT
#define P_opcode_yield_value ABSENT
#define P_opcode_resume ABSENT
#define P_opcode_pop_top ABSENT
#define P_opcode_raise_varargs ABSENT
#define P_opcode_reraise ABSENT
#endif
#ifdef RETURN_CONST
#define P_opcode_return_const RETURN_CONST
#else
#define P_opcode_return_const ABSENT
#endif
#ifdef RESUME_CHECK
#define P_opcode_resume_check RESUME_CHECK
#else
#define P_opcode_resume_check ABSENT
#endif
#ifdef FOR_ITER_GEN
#define P_opcode_for_iter_gen FOR_ITER_GEN
#define P_opcode_send_gen SEND_GEN
#else
#define P_opcode_for_iter_gen ABSENT
#define P_opcode_send_gen ABSENT
#endif

/* PyFrameObject, _PyInterpreterFrame */
#define P_frame_owner ABSENT
#define P_frame_is_entry ABSENT
#define P_frame_stacktop ABSENT
#define P_frame_return_offset ABSENT
#define P_frame_valuestack ABSENT
#define P_frame_executing ABSENT
#define P_frame_tlbc_index ABSENT /* free-threaded builds only */
#if MINOR <= 10
typedef PyFrameObject T_frame;
#define P_frame_size offsetof(T_frame, f_localsplus)
#define P_frame_back offsetof(T_frame, f_back)
#define P_frame_code offsetof(T_frame, f_code)
#define P_frame_position offsetof(T_frame, f_lasti)
#define P_frame_localsplus offsetof(T_frame, f_localsplus)
#undef P_frame_valuestack
#define P_frame_valuestack offsetof(T_frame, f_valuestack)
#undef P_frame_executing
#if MINOR <= 9
#define P_frame_executing offsetof(T_frame, f_executing)
#else
#define P_frame_executing offsetof(T_frame, f_state)
#endif
#else
typedef _PyInterpreterFrame T_frame;
#define P_frame_size offsetof(T_frame, localsplus)
#define P_frame_back offsetof(T_frame, previous)
#define P_frame_localsplus offsetof(T_frame, localsplus)
#undef P_frame_owner
#define P_frame_owner offsetof(T_frame, owner)
#undef P_frame_stacktop
#if MINOR <= 13
#define P_frame_stacktop offsetof(T_frame, stacktop)
#else
#define P_frame_stacktop offsetof(T_frame, stackpointer)
#endif
#if MINOR == 11
#undef P_frame_is_entry
#define P_frame_is_entry offsetof(T_frame, is_entry)
#else
#undef P_frame_return_offset
#define P_frame_return_offset offsetof(T_frame, return_offset)
#endif
#if MINOR <= 12
#define P_frame_code offsetof(T_frame, f_code)
#define P_frame_position offsetof(T_frame, prev_instr)
#else
#define P_frame_code offsetof(T_frame, f_executable)
#define P_frame_position offsetof(T_frame, instr_ptr)
#endif
#endif

/* PyCodeObject */
typedef PyCodeObject T_code;
#define P_code_name offsetof(T_code, co_name)
#define P_code_filename offsetof(T_code, co_filename)
#define P_code_firstlineno offsetof(T_code, co_firstlineno)
#define P_code_flags offsetof(T_code, co_flags)
#define P_code_stacksize offsetof(T_code, co_stacksize)
#define P_code_nlocals offsetof(T_code, co_nlocals)
#define P_code_consts offsetof(T_code, co_consts)
#define P_code_names offsetof(T_code, co_names)
#define P_code_argcount offsetof(T_code, co_argcount)
#if MINOR <= 9
#define P_code_linetable offsetof(T_code, co_lnotab)
#else
#define P_code_linetable offsetof(T_code, co_linetable)
#endif
#if MINOR <= 10
#define P_code_size sizeof(T_code)
#define P_code_code offsetof(T_code, co_code)
#define P_code_varnames offsetof(T_code, co_varnames)
#define P_code_qualname ABSENT
#define P_code_exceptiontable ABSENT
#define P_code_nlocalsplus ABSENT
#else
#define P_code_size offsetof(T_code, co_code_adaptive)
#define P_code_code offsetof(T_code, co_code_adaptive)
#define P_code_varnames offsetof(T_code, co_localsplusnames)
#define P_code_qualname offsetof(T_code, co_qualname)
#define P_code_exceptiontable offsetof(T_code, co_exceptiontable)
#define P_code_nlocalsplus offsetof(T_code, co_nlocalsplus)
#endif
#if MINOR <= 11
#define P_code_framesize ABSENT
#else
#define P_code_framesize offsetof(T_code, co_framesize)
#endif

/* Objects */
#define P_object_type offsetof(PyObject, ob_type)
#define P_object_size sizeof(PyObject)
#define P_varobject_size_field offsetof(PyVarObject, ob_size)
#define P_type_name offsetof(PyTypeObject, tp_name)
#define P_type_flags offsetof(PyTypeObject, tp_flags)
#define P_type_basicsize offsetof(PyTypeObject, tp_basicsize)
#define P_type_itemsize offsetof(PyTypeObject, tp_itemsize)
#define P_type_dictoffset offsetof(PyTypeObject, tp_dictoffset)
#define P_unicode_length offsetof(PyASCIIObject, length)
#define P_unicode_state offsetof(PyASCIIObject, state)
#define P_unicode_ascii_size sizeof(PyASCIIObject)
#define P_unicode_compact_size sizeof(PyCompactUnicodeObject)
#define P_unicode_kind_shift kind_shift()
#define P_unicode_compact_shift compact_shift()
#define P_unicode_ascii_shift ascii_shift()
#define P_bytes_data offsetof(PyBytesObject, ob_sval)
#define P_tuple_items offsetof(PyTupleObject, ob_item)
#define P_list_items offsetof(PyListObject, ob_item)
#define P_list_size offsetof(PyListObject, ob_base.ob_size)
#if MINOR <= 11
#define P_long_digits offsetof(PyLongObject, ob_digit)
#define P_long_tag offsetof(PyLongObject, ob_base.ob_size)
#else
#define P_long_digits offsetof(PyLongObject, long_value.ob_digit)
#define P_long_tag offsetof(PyLongObject, long_value.lv_tag)
#endif
#define P_dict_used offsetof(PyDictObject, ma_used)
#define P_dict_keys offsetof(PyDictObject, ma_keys)
#define P_dict_values offsetof(PyDictObject, ma_values)
#define P_dictkeys_nentries offsetof(struct probe_dict_keys, dk_nentries)
#define P_dictkeys_indices offsetof(struct probe_dict_keys, dk_indices)
#if MINOR <= 10
#define P_dictkeys_log2_size ABSENT
#define P_dictkeys_log2_index_bytes ABSENT
#define P_dictkeys_kind ABSENT
#define P_dictkeys_size offsetof(struct probe_dict_keys, dk_size)
#define P_gen_iframe offsetof(PyGenObject, gi_frame)
#else
#define P_dictkeys_log2_size offsetof(struct probe_dict_keys, dk_log2_size)
#define P_dictkeys_log2_index_bytes offsetof(struct probe_dict_keys, dk_log2_index_bytes)
#define P_dictkeys_kind offsetof(struct probe_dict_keys, dk_kind)
#define P_dictkeys_size ABSENT
#define P_gen_iframe offsetof(PyGenObject, gi_iframe)
#endif
#define P_set_used offsetof(PySetObject, used)

#ifdef VERIFY /* for verify.sh: only the expressions, nothing to compile */
#define LAYOUT_FIELD(name) VERIFY_FIELD name = P_##name END
#include "cpython/layout/layout_fields.def"
#else
/* The lowest bit that differs between two states of a string: one with a bit field set, one
 * without. */
static long lowest_bit(const PyASCIIObject *object)
{
	unsigned int state;

	memcpy(&state, (const char *)object + offsetof(PyASCIIObject, state), sizeof(state));
	return state == 0 ? -1 : __builtin_ctz(state);
}

#define BIT_FIELD_SHIFT(name)                                                                      \
	static long name##_shift(void)                                                             \
	{                                                                                          \
		PyASCIIObject object;                                                              \
                                                                                                   \
		memset(&object, 0, sizeof(object));                                                \
		object.state.name = 1;                                                             \
		return lowest_bit(&object);                                                        \
	}
BIT_FIELD_SHIFT(kind)
BIT_FIELD_SHIFT(compact)
BIT_FIELD_SHIFT(ascii)

#if MINOR >= 13
/* _Py_DebugOffsets: which word of the block is which field of ours. OFFSET(group, word, ours,
 * width): the word holds our field's offset inside an object as large as the group's first word
 * says; `width` bytes are read there. See layout_debug_offsets.c for the five kinds of rows that
 * are printed. */
typedef _Py_DebugOffsets T_block;
#define AT(word) offsetof(T_block, word)
#define OFFSET(group, word, ours, width)                                                           \
	printf("\tDEBUG_OFFSET(%zu, %s, %zu, %d, \"" #group "." #word "\") \\\n", AT(group.word),  \
	       #ours, AT(group.size), width);
#define SIZE(word, ours) printf("\tDEBUG_SIZE(%zu, %s, \"" #word "\") \\\n", AT(word), #ours);
#define AT_LEAST(word, ours)                                                                       \
	printf("\tDEBUG_AT_LEAST(%zu, %s, \"" #word "\") \\\n", AT(word), #ours);

static void print_block(void)
{
	printf("\n/* _Py_DebugOffsets: see layout_debug_offsets.c. */\n");
	printf("#define DEBUG_OFFSETS_3_%d_SIZE %zu\n", (int)MINOR, sizeof(T_block));
	printf("#define DEBUG_OFFSETS_3_%d_WORDS \\\n", (int)MINOR);
	SIZE(runtime_state.size, runtime_size)
	OFFSET(runtime_state, finalizing, runtime_finalizing, 8)
	OFFSET(runtime_state, interpreters_head, runtime_interpreters_head, 8)
	SIZE(interpreter_state.size, interp_size)
	OFFSET(interpreter_state, id, interp_id, 8)
	OFFSET(interpreter_state, next, interp_next, 8)
	OFFSET(interpreter_state, threads_head, interp_threads_head, 8)
#if MINOR >= 14
	OFFSET(interpreter_state, threads_main, interp_threads_main, 8)
	OFFSET(interpreter_state, code_object_generation, interp_code_generation, 8)
#endif
	OFFSET(interpreter_state, imports_modules, interp_modules, 8)
	OFFSET(interpreter_state, ceval_gil, interp_gil_ptr, 8)
	SIZE(thread_state.size, tstate_size)
	OFFSET(thread_state, prev, tstate_prev, 8)
	OFFSET(thread_state, next, tstate_next, 8)
	OFFSET(thread_state, interp, tstate_interp, 8)
	OFFSET(thread_state, current_frame, tstate_current_frame, 8)
	OFFSET(thread_state, thread_id, tstate_thread_id, 8)
	OFFSET(thread_state, native_thread_id, tstate_native_thread_id, 8)
	OFFSET(thread_state, datastack_chunk, tstate_datastack_chunk, 8)
#if MINOR >= 15
	OFFSET(thread_state, base_frame, tstate_base_frame, 8)
	OFFSET(thread_state, holds_gil, tstate_holds_gil, 4)
	OFFSET(thread_state, current_exception, tstate_current_exception, 8)
#endif
	OFFSET(interpreter_frame, previous, frame_back, 8)
	OFFSET(interpreter_frame, executable, frame_code, 8)
	OFFSET(interpreter_frame, instr_ptr, frame_position, 8)
	OFFSET(interpreter_frame, localsplus, frame_localsplus, 0)
	OFFSET(interpreter_frame, owner, frame_owner, 1)
#if MINOR >= 14
	OFFSET(interpreter_frame, stackpointer, frame_stacktop, 8)
#endif
	OFFSET(code_object, filename, code_filename, 8)
	OFFSET(code_object, name, code_name, 8)
	OFFSET(code_object, qualname, code_qualname, 8)
	OFFSET(code_object, linetable, code_linetable, 8)
	OFFSET(code_object, firstlineno, code_firstlineno, 4)
	OFFSET(code_object, argcount, code_argcount, 4)
	OFFSET(code_object, localsplusnames, code_varnames, 8)
	OFFSET(code_object, co_code_adaptive, code_code, 0)
	SIZE(pyobject.size, object_size)
	OFFSET(pyobject, ob_type, object_type, 8)
	OFFSET(type_object, tp_name, type_name, 8)
	OFFSET(type_object, tp_flags, type_flags, 8)
#if MINOR >= 15
	OFFSET(type_object, tp_basicsize, type_basicsize, 8)
	OFFSET(type_object, tp_dictoffset, type_dictoffset, 8)
#endif
	OFFSET(tuple_object, ob_item, tuple_items, 0)
	OFFSET(tuple_object, ob_size, varobject_size_field, 8)
	OFFSET(list_object, ob_item, list_items, 8)
	OFFSET(list_object, ob_size, list_size, 8)
#if MINOR >= 14
	OFFSET(set_object, used, set_used, 8)
#endif
	OFFSET(dict_object, ma_keys, dict_keys, 8)
	OFFSET(dict_object, ma_values, dict_values, 8)
	OFFSET(long_object, lv_tag, long_tag, 8)
	OFFSET(long_object, ob_digit, long_digits, 4)
	OFFSET(bytes_object, ob_sval, bytes_data, 0)
	OFFSET(unicode_object, state, unicode_state, 4)
	OFFSET(unicode_object, length, unicode_length, 8)
	SIZE(unicode_object.asciiobject_size, unicode_ascii_size)
#if MINOR >= 15
	SIZE(unicode_object.compactunicodeobject_size, unicode_compact_size)
#endif
#if MINOR >= 14
	OFFSET(gen_object, gi_iframe, gen_iframe, 8)
#endif
	AT_LEAST(interpreter_frame.size, frame_size)
	AT_LEAST(code_object.size, code_size)
	/* A structure inside a structure: our field is the sum, or the difference, of two words. */
	printf("\tDEBUG_SUM(%zu, %zu, interp_gc_collecting, %zu, 4, \"gc.collecting\") \\\n",
	       AT(interpreter_state.gc), AT(gc.collecting), AT(interpreter_state.size));
	printf("\tDEBUG_DIFFERENCE(%zu, %zu, gil_locked, %zu, 4, "
	       "\"interpreter_state.gil_runtime_state_locked\") \\\n",
	       AT(interpreter_state.gil_runtime_state_locked),
	       AT(interpreter_state.gil_runtime_state), AT(interpreter_state.size));
	printf("\tDEBUG_DIFFERENCE(%zu, %zu, gil_last_holder, %zu, 8, "
	       "\"interpreter_state.gil_runtime_state_holder\")\n",
	       AT(interpreter_state.gil_runtime_state_holder),
	       AT(interpreter_state.gil_runtime_state), AT(interpreter_state.size));
}
#endif

int main(void)
{
	printf("#ifndef LAYOUT_3_%d_H\n#define LAYOUT_3_%d_H\n\n", (int)MINOR, (int)MINOR);
	printf("#define LAYOUT_3_%d_HEADERS \"%s\"\n", (int)MINOR, PY_VERSION);
	printf("#define LAYOUT_3_%d_OFFSETS { \\\n", (int)MINOR);
#define LAYOUT_FIELD(name) printf("\t." #name " = %ld, \\\n", (long)(P_##name));
#include "cpython/layout/layout_fields.def"
	printf("}\n");
#if MINOR >= 13
	print_block();
#endif
	printf("\n#endif\n");
	return 0;
}
#endif
