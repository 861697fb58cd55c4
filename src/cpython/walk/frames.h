/* The frames of one thread of a target, read in as few system calls as possible.
 *
 * A stack reader copies *windows* of the target's memory (the used part of the
 * data-stack chunks on 3.11+, pages of heap frames on 3.8–3.10, single generator
 * frames) and walks the frame chain inside the copies. What a thread's last
 * stack needed is read in advance by the next fetch: in the steady state one
 * process_vm_readv gives the whole stack.
 *
 * Hot path: no allocation after stack_reader_init, no formatting, no locks, no /proc.
 * Everything read is untrusted: chains are bounded by FRAMES_DEPTH_MAX, bytes by
 * FRAMES_BUFFER_BYTES, and a window never satisfies a read outside itself.
 * One thread at a time.
 */
#ifndef CPYTHON_WALK_FRAMES_H
#define CPYTHON_WALK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpython/layout/layout.h"
#include "process/remote_memory.h"

#define FRAMES_DEPTH_MAX 20000
#define FRAMES_WINDOWS_MAX 4096
#define FRAMES_BUFFER_BYTES (16u << 20)
#define FRAMES_PREDICTED_MAX 1024
#define FRAMES_TOPS 16
#define FRAMES_TSTATE_SPAN_MAX 4096
#define FRAMES_CHUNKS_MAX 1024
#define FRAMES_CHUNKS_KNOWN 8
#define FRAMES_GONE_PAGES 4
#define WORDS_GROUPS 8
#define WORDS_SPAN 1024u

/* One activation. Leaf first in a stack. */
struct raw_frame {
	uint64_t code;	  /* address of the code object (tag bits masked) */
	uint64_t address; /* of the frame */
	int32_t offset; /* of the current instruction, bytes from the first; −1 before the first */
	uint16_t flags;	 /* enum raw_frame_flag */
	uint16_t window; /* frames of one window were read within nanoseconds */
};

enum raw_frame_flag {
	RAW_ENTERED_FROM_C = 1 << 0, /* C code lies between this frame and its caller */
	RAW_WAITS = 1 << 1,	     /* LIVENESS_CALLER_STACKTOP: handed over to a Python callee */
	RAW_DEAD = 1 << 2,	     /* this frame was no longer running when it was read */
	RAW_GENERATOR = 1 << 3,	     /* a generator's: not on the data stack (3.11+) */
};

enum stack_flag {
	STACK_TRUNCATED = 1 << 0, /* deeper than FRAMES_DEPTH_MAX: the root end is missing */
	STACK_TORN = 1 << 1,	  /* the chain broke: frames below the last one are unknown */
	STACK_RECALLED = 1 << 2,  /* a generator's caller is the one it had when last seen */
};

/* What the last stack of one thread needed; zero it for a new thread. */
struct stack_prediction {
	struct predicted_window {
		uint64_t start;
		uint32_t size;
	} windows[FRAMES_PREDICTED_MAX];
	uint32_t count;
	uint64_t cframe;	    /* 3.11, 3.12 */
	uint64_t tops[FRAMES_TOPS]; /* addresses of the frames nearest to the leaf */
	uint32_t top_count;
	struct predicted_chunk { /* of the data stack, 3.11+ */
		uint64_t start, above;
		uint32_t high, high_before, samples; /* bytes in use at most, lately */
		uint32_t goes_on; /* how often the stack goes on to the chunk above */
	} chunks[FRAMES_CHUNKS_KNOWN];
	uint32_t chunk_turn;
	uint64_t top_chunk;
};

struct stack_window {
	uint64_t start;
	uint32_t size;
	uint32_t used; /* bytes from start that the walk needed */
	const uint8_t *bytes;
	bool chained; /* a chunk of the list that the thread state names (remember_windows) */
};

struct stack_chunk { /* of the data stack */
	uint64_t start, size;
};

#define FRAME_OFFSET_UNKNOWN (-2) /* in raw_frame.offset */
#define FRAMES_RECALLED 256
struct recalled_link {
	uint64_t frame, back;
};

struct stack_reader {
	const struct remote_memory *memory;
	const struct layout *layout;
	uint8_t *buffer;
	size_t buffer_used;
	struct stack_window *windows;
	uint32_t window_count, last_hit;
	uint32_t *page_slots; /* page number → window index + 1, for heap frames */
	uint32_t page_mask;
	struct stack_chunk *chunks; /* met in this walk, from the top one down */
	uint32_t chunk_count, last_chunk;
	uint64_t next_chunk, top;		/* the one after them; where the data stack ends */
	uint64_t gone_pages[FRAMES_GONE_PAGES]; /* page numbers, of this sample */
	uint32_t gone_next;
	uint64_t last_single;		/* frame that was read by itself */
	uint32_t span_start, span_size; /* part of the thread state that is read */
	uint8_t tstate_span[FRAMES_TSTATE_SPAN_MAX];
	uint8_t cframe_span[64];
	uint8_t words_bytes[WORDS_GROUPS * WORDS_SPAN]; /* words of the last fetch, by groups */
	uint64_t tstate, cframe;
	bool have_tstate, have_cframe;
	bool target_runs; /* the owner says: reads are from another core */
	struct recalled_link recalled[FRAMES_RECALLED];
	uint64_t reads; /* system calls made, for the statistics */
};

int stack_reader_init(struct stack_reader *reader, const struct remote_memory *memory,
		      const struct layout *layout);
void stack_reader_release(struct stack_reader *reader);

/* Read `extra` ranges (filled in order, before anything else), the thread state at `tstate` and
 * its predicted windows in one call. Returns how many of the `extra` ranges are whole, or a
 * negative code when nothing could be read. tstate 0: only the extra ranges. */
int stack_reader_fetch(struct stack_reader *reader, uint64_t tstate,
		       const struct stack_prediction *prediction, const struct remote_range *extra,
		       size_t extra_count);

/* Walk the stack of the thread state of the last fetch into frames[capacity]; reads what was not
 * predicted and updates the prediction. Returns the depth (0: the thread runs no Python), with
 * *ret_flags, or −ERR_UNREADABLE / −ERR_TORN when not even the leaf is known. */
int stack_reader_walk(struct stack_reader *reader, struct stack_prediction *prediction,
		      struct raw_frame *frames, uint32_t capacity, uint32_t *ret_flags);

/* A frame at `address` as the copies of the last fetch have it, and the address of its caller's.
 * False when no window holds it or it can't be one. */
bool stack_reader_frame_at(struct stack_reader *reader, uint64_t address,
			   struct raw_frame *ret_frame, uint64_t *ret_back);

/* The frame at `address` is wanted in the copies of the next fetches: reads it now where it was not
 * copied, and makes the prediction anew. After the walk. */
void stack_reader_want_frame(struct stack_reader *reader, struct stack_prediction *prediction,
			     uint64_t address);

/* Where that word lies in the target (0 unknown). */
uint64_t stack_reader_leaf_word(const struct stack_reader *reader);

/* The word that tells which frame runs, as the last fetch saw it (0 unknown): read first, so
 * that from another core it tells the depth truly. */
uint64_t stack_reader_current_frame(const struct stack_reader *reader);

/* The thread's identity in the last fetch: native thread id on 3.11+, pthread_self() before. */
uint64_t stack_reader_thread_word(const struct stack_reader *reader);

#endif
