/* Hot path: no allocation, no locks, no formatting unless the caller hands an err. */
#include "process/remote_memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

#include "base/err.h"

void remote_memory_init_live(struct remote_memory *memory, pid_t pid)
{
	*memory = (struct remote_memory){.pid = pid};
}

void remote_memory_init_image(struct remote_memory *memory, const struct remote_segment *segments,
			      size_t segment_count)
{
	*memory = (struct remote_memory){.segments = segments, .segment_count = segment_count};
}

static enum err_code code_of_errno(int errno_value)
{
	switch (errno_value) {
	case EPERM:
	case EACCES:
		return ERR_PERMISSION;
	case ESRCH:
		return ERR_NO_PROCESS;
	case ENOMEM:
		return ERR_MEMORY;
	default:
		return ERR_UNREADABLE;
	}
}

/* The segment that holds `address`, or NULL. Subtraction before comparison, so that a
 * segment at the top of the address space doesn't overflow. */
static const struct remote_segment *segment_of(const struct remote_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->segment_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct remote_segment *segment = &memory->segments[middle];

		if (address < segment->start)
			high = middle;
		else if (address - segment->start >= segment->size)
			low = middle + 1;
		else
			return segment;
	}
	return NULL;
}

/* Bytes copied before the first address that isn't there: as the kernel does it, a range
 * may run on into the next segment where that one follows without a gap. */
static size_t image_copy(const struct remote_memory *memory, uint64_t from, uint8_t *to,
			 size_t size)
{
	size_t done = 0;

	while (done < size) {
		if (from + done < from)
			break; /* past the top of the address space */
		const struct remote_segment *segment = segment_of(memory, from + done);
		if (!segment)
			break;
		uint64_t offset = from + done - segment->start;
		size_t part = segment->size - (size_t)offset;
		if (part > size - done)
			part = size - done;
		memcpy(to + done, segment->bytes + offset, part);
		done += part;
	}
	return done;
}

static ssize_t image_read_ranges(const struct remote_memory *memory,
				 const struct remote_range *ranges, size_t count)
{
	size_t total = 0;
	bool cut = false;

	for (size_t i = 0; i < count && !cut; i++) {
		size_t done = image_copy(memory, ranges[i].from.v, ranges[i].to, ranges[i].size);

		total += done;
		cut = done < ranges[i].size;
	}
	if (cut && total == 0)
		return -ERR_UNREADABLE;
	return (ssize_t)total;
}

ssize_t remote_read_ranges(const struct remote_memory *memory, const struct remote_range *ranges,
			   size_t count)
{
	struct iovec local[REMOTE_RANGES_MAX], remote[REMOTE_RANGES_MAX];

	if (count > REMOTE_RANGES_MAX)
		return -ERR_LIMIT;
	if (memory->pid == 0)
		return image_read_ranges(memory, ranges, count);
	for (size_t i = 0; i < count; i++) {
		local[i] = (struct iovec){ranges[i].to, ranges[i].size};
		remote[i] = (struct iovec){(void *)(uintptr_t)ranges[i].from.v, ranges[i].size};
	}
	ssize_t got = process_vm_readv(memory->pid, local, count, remote, count, 0);
	return got >= 0 ? got : -(ssize_t)code_of_errno(errno);
}

static int read_failed(const struct remote_memory *memory, struct raddr from, size_t size,
		       ssize_t got, int errno_value, struct err *err)
{
	enum err_code code = got < 0 ? code_of_errno(errno_value) : ERR_UNREADABLE;

	if (!err)
		return -(int)code;
	if (got < 0 && memory->pid != 0 && errno_value != EFAULT)
		return err_set_errno(err, code, errno_value,
				     "Can't read the memory of process %d at 0x%" PRIx64,
				     (int)memory->pid, from.v);
	err_set(err, code, "Can't read %zu bytes at 0x%" PRIx64 " of process %d", size, from.v,
		(int)memory->pid);
	err_why(err, "only %zd of them are mapped there", got < 0 ? 0 : got);
	return -(int)code;
}

int remote_read(const struct remote_memory *memory, struct raddr from, void *to, size_t size,
		struct err *err)
{
	ssize_t got;
	int errno_value = 0;

	if (memory->pid == 0) {
		got = (ssize_t)image_copy(memory, from.v, to, size);
	} else {
		struct iovec local = {to, size};
		struct iovec remote = {(void *)(uintptr_t)from.v, size};

		got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
		errno_value = errno;
	}
	if (got >= 0 && (size_t)got == size)
		return 0;
	return read_failed(memory, from, size, got, errno_value, err);
}

int remote_read_u64(const struct remote_memory *memory, struct raddr from, uint64_t *ret_value)
{
	uint64_t value;

	if (from.v % sizeof(value) != 0)
		return -ERR_TORN;
	int rc = remote_read(memory, from, &value, sizeof(value), NULL);
	if (rc == 0)
		*ret_value = value;
	return rc;
}

int remote_read_u32(const struct remote_memory *memory, struct raddr from, uint32_t *ret_value)
{
	uint32_t value;

	if (from.v % sizeof(value) != 0)
		return -ERR_TORN;
	int rc = remote_read(memory, from, &value, sizeof(value), NULL);
	if (rc == 0)
		*ret_value = value;
	return rc;
}

int remote_read_raddr(const struct remote_memory *memory, struct raddr from,
		      struct raddr *ret_value)
{
	return remote_read_u64(memory, from, &ret_value->v);
}
