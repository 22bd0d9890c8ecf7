#include "config.h"

#include "capture/pcapng_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "base/xalloc.h"
#include "capture/pcapng_interface.h"

#define BLOCK_HEADER_SIZE 8
#define BLOCK_TRAILER_SIZE 4
#define BLOCK_SIZE_MIN (BLOCK_HEADER_SIZE + BLOCK_TRAILER_SIZE)
#define BLOCK_SIZE_MAX ((uint32_t)16 * 1024 * 1024) /* as tshark's */
#define CAPLEN_MAX 262144
#define INTERFACES_MAX 65536

#define BYTE_ORDER_MAGIC 0x1a2b3c4d

enum block_type {
	BLOCK_INTERFACE = 1,
	BLOCK_OBSOLETE_PACKET = 2,
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_STATISTICS = 5,
	BLOCK_ENHANCED_PACKET = 6,
	BLOCK_SECTION = 0x0a0d0d0a, /* a palindrome: the same in both orders */
};

enum option_code {
	OPTION_COMMENT = 1,
	OPTION_FLAGS = 2,
	OPTION_DROPCOUNT = 4,
	OPTION_PACKET_ID = 5,
	OPTION_VERDICT = 7,
};

/* Verdicts of programs in the kernel: which kind, and its numbers */
#define VERDICT_TC 1
#define VERDICT_XDP 2
#define TC_ACT_SHOT 2
#define XDP_ABORTED 0
#define XDP_DROP 1

struct pcapng_file {
	struct stream *stream;
	/* Of all sections, as far as read; each stays where it is. */
	struct pcapng_interface **interfaces;
	uint32_t count;
	uint32_t capacity;
	uint32_t seen; /* in this pass: the next one described has this index */
	uint32_t section_first; /* index of the section's interface 0 */
	bool big_endian;
	uint64_t number;
	char *comment; /* of the current frame */
	char cut[200];
};

/* What one block was to the caller */
enum step {
	STEP_ON, /* nothing */
	STEP_FRAME,
	STEP_END,
	STEP_CUT,
};

__attribute__((format(printf, 2, 3))) static enum step
cut(struct pcapng_file *f, const char *format, ...)
{
	const char *reason = stream_error(f->stream);
	char what[160];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	if (reason)
		(void)snprintf(what, sizeof(what), "%s", reason);
	if (f->number > 0)
		(void)snprintf(f->cut, sizeof(f->cut), "%s after frame %llu",
		               what, (unsigned long long)f->number);
	else
		(void)snprintf(f->cut, sizeof(f->cut), "%s", what);
	return STEP_CUT;
}

static enum step read_interface(struct pcapng_file *f, struct cursor body)
{
	struct pcapng_interface *i;

	if (f->seen < f->count) { /* known from an earlier pass */
		f->seen++;
		return STEP_ON;
	}
	if (f->count == INTERFACES_MAX)
		return cut(f, "more than %d interfaces", INTERFACES_MAX);
	i = pcapng_interface_new(body, f->big_endian);
	if (!i)
		return cut(f, "a damaged interface description");

	if (f->count == f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 4;
		f->interfaces = xreallocarray(f->interfaces, f->capacity,
		                              sizeof(f->interfaces[0]));
	}
	f->interfaces[f->count++] = i;
	f->seen = f->count;
	return STEP_ON;
}

/* Interface @id of the current section, or NULL */
static struct pcapng_interface *find_interface(const struct pcapng_file *f,
                                               uint32_t id)
{
	if (id >= f->seen - f->section_first)
		return NULL;
	return f->interfaces[f->section_first + id];
}

static enum step read_statistics(struct pcapng_file *f, struct cursor body)
{
	struct pcapng_interface *i =
		find_interface(f, pcapng_u32(&body, f->big_endian));

	if (!pcapng_interface_read_statistics(i, body, f->big_endian))
		return cut(f, "damaged interface statistics");
	return STEP_ON;
}

static enum frame_direction direction_of(uint32_t flags)
{
	switch (flags & 3) {
	case 1:
		return FRAME_DIRECTION_IN;
	case 2:
		return FRAME_DIRECTION_OUT;
	default:
		return FRAME_DIRECTION_UNKNOWN;
	}
}

/* What the bytes of hardware mean, only its maker knows. */
static bool is_drop(const struct pcapng_file *f, struct cursor value)
{
	uint8_t type = cursor_u8(&value);
	uint64_t verdict;

	if (value.left != 8)
		return false;
	verdict = pcapng_u64(&value, f->big_endian);
	switch (type) {
	case VERDICT_TC:
		return verdict == TC_ACT_SHOT;
	case VERDICT_XDP:
		return verdict == XDP_ABORTED || verdict == XDP_DROP;
	default:
		return false;
	}
}

/* Returns false if it cannot be what it says */
static bool read_packet_option(struct pcapng_file *f,
                               struct pcapng_interface *i,
                               struct pcapng_option *option,
                               struct frame *frame)
{
	size_t n = option->value.left;

	switch (option->code) {
	case OPTION_COMMENT:
		if (!frame->comment) {
			pcapng_set_text(&f->comment, &option->value);
			frame->comment = f->comment;
		}
		break;
	case OPTION_FLAGS:
		frame->direction =
			direction_of(pcapng_u32(&option->value, f->big_endian));
		return n == 4;
	case OPTION_DROPCOUNT:
		pcapng_interface_add_dropped(
			i, pcapng_u64(&option->value, f->big_endian));
		return n == 8;
	case OPTION_PACKET_ID:
		frame->packet_id = pcapng_u64(&option->value, f->big_endian);
		return n == 8;
	case OPTION_VERDICT:
		frame->dropped |= is_drop(f, option->value);
		return n >= 1;
	}
	return true;
}

/* The rest of a packet block: the bytes, then the options */
static enum step read_packet(struct pcapng_file *f, struct pcapng_interface *i,
                             struct cursor body, struct frame *frame)
{
	struct pcapng_option option;

	if (!i)
		return cut(f, "a packet of an interface that is not described");
	if (frame->caplen > CAPLEN_MAX)
		return cut(f, "a packet has an impossible length");
	frame->bytes = cursor_take(&body, frame->caplen);
	(void)cursor_take(&body, pcapng_padding(frame->caplen));
	if (body.truncated)
		return cut(f, "a packet is longer than its block");

	while (pcapng_next_option(&body, f->big_endian, &option))
		if (!read_packet_option(f, i, &option, frame))
			return cut(f, "a damaged option of a packet");
	if (body.truncated)
		return cut(f, "an option is longer than its block");

	if (frame->len < frame->caplen)
		frame->len = frame->caplen;
	frame->number = ++f->number;
	return STEP_FRAME;
}

static enum step read_time_and_packet(struct pcapng_file *f, uint32_t id,
                                      struct cursor body, struct frame *frame)
{
	struct pcapng_interface *i = find_interface(f, id);
	uint64_t high = pcapng_u32(&body, f->big_endian);
	uint64_t units = high << 32 | pcapng_u32(&body, f->big_endian);
	uint32_t caplen = pcapng_u32(&body, f->big_endian);
	uint32_t len = pcapng_u32(&body, f->big_endian);

	*frame = (struct frame){
		.ts_ns = i ? pcapng_interface_time(i, units) : 0,
		.caplen = caplen,
		.len = len,
		.interface = f->section_first + id,
	};
	return read_packet(f, i, body, frame);
}

static enum step read_obsolete_packet(struct pcapng_file *f, struct cursor body,
                                      struct frame *frame)
{
	uint16_t id = pcapng_u16(&body, f->big_endian);
	uint16_t dropped = pcapng_u16(&body, f->big_endian);
	struct pcapng_interface *i = find_interface(f, id);

	if (i && dropped != UINT16_MAX)
		pcapng_interface_add_dropped(i, dropped);
	return read_time_and_packet(f, id, body, frame);
}

static enum step read_simple_packet(struct pcapng_file *f, struct cursor body,
                                    struct frame *frame)
{
	struct pcapng_interface *i = find_interface(f, 0);
	uint32_t len = pcapng_u32(&body, f->big_endian);
	uint32_t snaplen = i ? i->public.snaplen : 0;

	*frame = (struct frame){
		.caplen = snaplen && snaplen < len ? snaplen : len,
		.len = len,
		.interface = f->section_first,
	};
	/* There are no options; what is left over is nobody's. */
	cursor_limit(&body, frame->caplen + pcapng_padding(frame->caplen));
	return read_packet(f, i, body, frame);
}

static enum step read_section(struct pcapng_file *f, struct cursor body)
{
	struct pcapng_option option;
	uint16_t major, minor;

	(void)pcapng_u32(&body, f->big_endian); /* byte order magic */
	major = pcapng_u16(&body, f->big_endian);
	minor = pcapng_u16(&body, f->big_endian);
	(void)pcapng_u64(&body, f->big_endian); /* section length, a hint */
	if (!body.truncated && (major != 1 || (minor != 0 && minor != 2)))
		return cut(f, "pcapng version %u.%u is not supported", major,
		           minor);
	while (pcapng_next_option(&body, f->big_endian, &option))
		;
	if (body.truncated)
		return cut(f, "a damaged section header");
	f->section_first = f->seen;
	return STEP_ON;
}

/*
 * Blocks that are no packets, but that tshark shows as frames, with the least
 * size of their body; 0: not such a block.
 */
static size_t numbered_size(uint32_t type)
{
	switch (type) {
	case 0x00000009: /* systemd journal export */
		return 23;
	case 0x00000204: /* system call events */
		return 24;
	case 0x00000216:
	case 0x00000221:
		return 28;
	case 0x00000bad: /* custom */
	case 0x40000bad:
		return 4;
	default:
		return 0;
	}
}

static enum step read_other(struct pcapng_file *f, uint32_t type,
                            struct cursor body)
{
	size_t size = numbered_size(type);

	if (size == 0)
		return STEP_ON;
	if (body.left < size)
		return cut(f, "a block of type 0x%08x is too short", type);
	f->number++;
	return STEP_ON;
}

static enum step read_body(struct pcapng_file *f, uint32_t type,
                           struct cursor body, struct frame *frame)
{
	uint32_t id;

	switch (type) {
	case BLOCK_SECTION:
		return read_section(f, body);
	case BLOCK_INTERFACE:
		return read_interface(f, body);
	case BLOCK_STATISTICS:
		return read_statistics(f, body);
	case BLOCK_ENHANCED_PACKET:
		id = pcapng_u32(&body, f->big_endian);
		return read_time_and_packet(f, id, body, frame);
	case BLOCK_OBSOLETE_PACKET:
		return read_obsolete_packet(f, body, frame);
	case BLOCK_SIMPLE_PACKET:
		return read_simple_packet(f, body, frame);
	default:
		return read_other(f, type, body);
	}
}

static bool is_section(const uint8_t *head)
{
	struct cursor c = cursor_of(head, 4);

	return cursor_be32(&c) == BLOCK_SECTION;
}

/* A section header has its own byte order; false if the magic is neither */
static bool read_byte_order(const uint8_t *head, bool *big_endian)
{
	struct cursor big = cursor_of(head + BLOCK_HEADER_SIZE, 4);
	struct cursor little = big;

	*big_endian = cursor_be32(&big) == BYTE_ORDER_MAGIC;
	return *big_endian || cursor_le32(&little) == BYTE_ORDER_MAGIC;
}

/* Read the next block, whole and in one piece */
static enum step step(struct pcapng_file *f, struct frame *frame)
{
	const uint8_t *p = stream_peek(f->stream, BLOCK_SIZE_MIN);
	struct cursor head, tail;
	uint32_t type, n;

	if (!p && f->stream->left == 0 && !stream_error(f->stream))
		return STEP_END;
	if (!p)
		return cut(f, "the file ends inside a block header");
	if (is_section(p) && !read_byte_order(p, &f->big_endian))
		return cut(f, "a section header without byte order");

	head = cursor_of(p, BLOCK_HEADER_SIZE);
	type = pcapng_u32(&head, f->big_endian);
	n = pcapng_u32(&head, f->big_endian);
	if (n < BLOCK_SIZE_MIN || n > BLOCK_SIZE_MAX)
		return cut(f, "a block has an impossible length of %u bytes",
		           n);
	n += (uint32_t)pcapng_padding(n); /* some writers forget to count it */
	p = stream_peek(f->stream, n);
	if (!p)
		return cut(f, "the file ends inside a block");

	tail = cursor_of(p + n - BLOCK_TRAILER_SIZE, BLOCK_TRAILER_SIZE);
	if (((pcapng_u32(&tail, f->big_endian) + 3) & ~3U) != n)
		return cut(f, "the two lengths of a block differ");
	/* The bytes stay in place until the next peek. */
	stream_skip(f->stream, n);
	return read_body(f, type,
	                 cursor_of(p + BLOCK_HEADER_SIZE, n - BLOCK_SIZE_MIN),
	                 frame);
}

bool pcapng_file_probe(const uint8_t head[12])
{
	bool big_endian;

	return is_section(head) && read_byte_order(head, &big_endian);
}

struct pcapng_file *pcapng_file_open(struct stream *s, struct errmsg *err)
{
	struct pcapng_file *f = xcalloc(1, sizeof(*f));
	struct frame frame;
	enum step last;

	f->stream = s;
	do
		last = step(f, &frame);
	while ((last == STEP_ON || last == STEP_FRAME) &&
	       (f->count == 0 ||
	        !f->interfaces[f->count - 1]->public.supported));

	if (f->count == 0) {
		if (last == STEP_CUT)
			errmsg_set(err, "%s", f->cut);
		else
			errmsg_set(err, "describes no interface, so there "
			                "are no packets");
		pcapng_file_close(f);
		return NULL;
	}
	pcapng_file_rewind(f);
	return f;
}

void pcapng_file_close(struct pcapng_file *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->count; i++)
		pcapng_interface_free(f->interfaces[i]);
	free(f->interfaces);
	free(f->comment);
	free(f);
}

enum capture_result pcapng_file_next(struct pcapng_file *f, struct frame *frame)
{
	enum step last;

	do
		last = step(f, frame);
	while (last == STEP_ON);
	if (last == STEP_FRAME)
		return CAPTURE_FRAME;
	*frame = (struct frame){ .number = f->number };
	return last == STEP_END ? CAPTURE_END : CAPTURE_CUT;
}

void pcapng_file_rewind(struct pcapng_file *f)
{
	stream_rewind(f->stream);
	for (uint32_t i = 0; i < f->count; i++)
		f->interfaces[i]->dropped = 0;
	f->seen = 0;
	f->section_first = 0;
	f->number = 0;
	f->cut[0] = '\0';
}

const char *pcapng_file_cut(const struct pcapng_file *f)
{
	return f->cut;
}

uint32_t pcapng_file_interface_count(const struct pcapng_file *f)
{
	return f->count;
}

const struct capture_interface *
pcapng_file_interface(const struct pcapng_file *f, uint32_t i)
{
	return &f->interfaces[i]->public;
}
