/* The few words of an interpreter that every sample needs: who holds the lock, is
 * a collection in progress, how many code objects were freed. Where they lie is
 * found once; they are read as the first ranges of the sample. */
#ifndef SAMPLER_INTERPRETER_WORDS_H
#define SAMPLER_INTERPRETER_WORDS_H

#include "cpython/layout/runtime_find.h"
#include "process/remote_memory.h"

struct thread_syscall;

#define INTERPRETER_RANGES_MAX 3

struct interpreter_words {
	const struct layout *layout;
	uint64_t interp;			 /* main interpreter */
	uint64_t gil_address;			 /* of the span that holds locked and last_holder */
	uint64_t gc_address, generation_address; /* 0: this version has none */
	uint64_t gil_low, gil_high;		 /* all of the lock; equal where it is not known */
	uint32_t gil_span;
	int32_t locked_at, holder_at; /* inside the span */
	uint8_t gil_bytes[256];
	int32_t gc_collecting;
	uint64_t generation;
};

/* -ERR_TOO_LITTLE before the interpreter and its lock exist. */
int interpreter_words_find(struct interpreter_words *words, const struct remote_memory *memory,
			   const struct runtime *runtime);
/* Fills ranges; returns how many. */
size_t interpreter_words_ranges(struct interpreter_words *words,
				struct remote_range ranges[INTERPRETER_RANGES_MAX]);
/* After the ranges were read: the thread state that holds the lock, 0 nobody. */
uint64_t interpreter_words_holder(const struct interpreter_words *words);
/* Is this call a wait for the lock? All versions wait on a condition inside it, by futex. */
bool interpreter_words_waits_for_gil(const struct interpreter_words *words,
				     const struct thread_syscall *call);
/* UINT64_MAX where the version has no count. */
uint64_t interpreter_words_generation(const struct interpreter_words *words);

#endif
