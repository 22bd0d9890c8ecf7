#include "config.h"

#include "capture/pcapng_file.h"

#include <byteswap.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/strbuf.h"
#include "base/xalloc.h"

#define BLOCK_HEADER_SIZE 8
#define BLOCK_TRAILER_SIZE 4
#define BLOCK_SIZE_MIN (BLOCK_HEADER_SIZE + BLOCK_TRAILER_SIZE)
#define BLOCK_SIZE_MAX ((uint32_t)16 * 1024 * 1024) /* as tshark's */
#define CAPLEN_MAX 262144
#define INTERFACES_MAX 65536
#define NS_PER_S 1000000000
#define TS_LIMIT_NS (INT64_C(1) << 62)

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
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_FILTER = 11,
	OPTION_IF_TSOFFSET = 14,
	OPTION_PACKET_FLAGS = 2,
	OPTION_PACKET_DROPCOUNT = 4,
	OPTION_PACKET_ID = 5,
	OPTION_PACKET_VERDICT = 7,
	OPTION_STATISTICS_IFDROP = 5,
	OPTION_STATISTICS_OSDROP = 7,
};

struct option {
	uint16_t code;
	struct cursor value;
};

struct interface {
	struct capture_interface public;
	uint64_t units_per_s; /* of time stamps; 0: beyond reckoning */
	uint32_t ns_per_unit; /* 0: not a whole number */
	int64_t offset_s;
	bool has_statistics;
	int64_t dropped; /* in this pass, by what the packets say */
};

struct pcapng_file {
	struct stream *stream;
	struct interface **interfaces; /* of all sections; they do not move */
	uint32_t count;                /* known */
	uint32_t capacity;
	uint32_t seen; /* in this pass: the next one described has this index */
	uint32_t section_first; /* index of the section's interface 0 */
	bool big_endian;
	uint64_t number;
	char *comment; /* of the current frame */
	char cut[160];
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
	char what[96];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)snprintf(f->cut, sizeof(f->cut), "%.120s after frame %llu",
	               reason ? reason : what, (unsigned long long)f->number);
	return STEP_CUT;
}

static uint16_t read_u16(const struct pcapng_file *f, struct cursor *c)
{
	uint16_t value = cursor_be16(c);

	return f->big_endian ? value : bswap_16(value);
}

static uint32_t read_u32(const struct pcapng_file *f, struct cursor *c)
{
	return f->big_endian ? cursor_be32(c) : cursor_le32(c);
}

static uint64_t read_u64(const struct pcapng_file *f, struct cursor *c)
{
	uint64_t first = read_u32(f, c);
	uint64_t second = read_u32(f, c);

	return f->big_endian ? first << 32 | second : second << 32 | first;
}

/* Blocks, packets and options are padded to a multiple of four. */
static size_t padding(size_t n)
{
	return -n & 3;
}

/* False at the end; if that is not where it should be, @options is truncated */
static bool next_option(const struct pcapng_file *f, struct cursor *options,
                        struct option *option)
{
	size_t n;

	if (options->left == 0)
		return false;
	option->code = read_u16(f, options);
	n = read_u16(f, options);
	option->value = cursor_sub(options, n);
	(void)cursor_take(options, padding(n));
	return !options->truncated && option->code != OPTION_END;
}

/* Owned by the caller; ends at a NUL if the writer has put one in */
static char *text_of(const struct cursor *value)
{
	struct strbuf text = { 0 };

	strbuf_add(&text, (const char *)value->next,
	           strnlen((const char *)value->next, value->left));
	return strbuf_steal(&text);
}

static void set_text(char **text, const struct cursor *value)
{
	free(*text);
	*text = text_of(value);
}

/* Resolution of time stamps: 10^-n or, with the top bit, 2^-n seconds */
static void set_resolution(struct interface *i, uint8_t value)
{
	unsigned int exponent = value & 0x7f;
	uint64_t base = value & 0x80 ? 2 : 10;

	i->ns_per_unit = 0;
	i->units_per_s = 0;
	if (exponent > (base == 2 ? 63 : 19))
		return;
	i->units_per_s = 1;
	while (exponent-- > 0)
		i->units_per_s *= base;
	if (NS_PER_S % i->units_per_s == 0)
		i->ns_per_unit = (uint32_t)(NS_PER_S / i->units_per_s);
}

static int64_t time_of(const struct interface *i, uint64_t units)
{
	__int128 ns;

	if (i->units_per_s == 0)
		return 0;
	if (i->ns_per_unit)
		ns = (__int128)units * i->ns_per_unit;
	else
		ns = (__int128)units * NS_PER_S / (__int128)i->units_per_s;
	ns += (__int128)i->offset_s * NS_PER_S;
	return ns >= 0 && ns < TS_LIMIT_NS ? (int64_t)ns : 0;
}

static void read_interface_option(struct pcapng_file *f, struct interface *i,
                                  struct option *option)
{
	size_t n = option->value.left;

	switch (option->code) {
	case OPTION_IF_NAME:
		set_text(&i->public.name, &option->value);
		break;
	case OPTION_IF_TSRESOL:
		if (n == 1)
			set_resolution(i, cursor_u8(&option->value));
		break;
	case OPTION_IF_FILTER:
		/* The first byte tells text from compiled code. */
		if (n > 0 && cursor_u8(&option->value) == 0)
			set_text(&i->public.filter, &option->value);
		break;
	case OPTION_IF_TSOFFSET:
		if (n == 8)
			i->offset_s = (int64_t)read_u64(f, &option->value);
		break;
	}
}

static void free_interface(struct interface *i)
{
	free(i->public.name);
	free(i->public.filter);
	free(i);
}

static void append_interface(struct pcapng_file *f, struct interface *i)
{
	if (f->count == f->capacity) {
		f->capacity = f->capacity ? 2 * f->capacity : 4;
		f->interfaces = xreallocarray(f->interfaces, f->capacity,
		                              sizeof(struct interface *));
	}
	f->interfaces[f->count++] = i;
	f->seen = f->count;
}

static enum step read_interface(struct pcapng_file *f, struct cursor body)
{
	struct interface *i;
	struct option option;

	if (f->seen < f->count) { /* known from an earlier pass */
		f->seen++;
		return STEP_ON;
	}
	if (f->count == INTERFACES_MAX)
		return cut(f, "more than %d interfaces", INTERFACES_MAX);

	i = xcalloc(1, sizeof(*i));
	set_resolution(i, 6);
	i->public.drops = -1;
	i->public.linktype = read_u16(f, &body);
	i->public.supported = linktype_supported(i->public.linktype);
	(void)read_u16(f, &body); /* reserved */
	i->public.snaplen = read_u32(f, &body);
	while (next_option(f, &body, &option))
		read_interface_option(f, i, &option);
	if (body.truncated) {
		free_interface(i);
		return cut(f, "a damaged interface description");
	}
	append_interface(f, i);
	return STEP_ON;
}

/* Interface @id of the current section, or NULL */
static struct interface *find_interface(const struct pcapng_file *f,
                                        uint32_t id)
{
	if (id >= f->seen - f->section_first)
		return NULL;
	return f->interfaces[f->section_first + id];
}

static enum step read_statistics(struct pcapng_file *f, struct cursor body)
{
	struct interface *i = find_interface(f, read_u32(f, &body));
	struct option option;
	uint64_t drops = 0;
	bool said = false;

	(void)read_u64(f, &body); /* time stamp */
	while (next_option(f, &body, &option)) {
		if ((option.code != OPTION_STATISTICS_IFDROP &&
		     option.code != OPTION_STATISTICS_OSDROP) ||
		    option.value.left != 8)
			continue;
		drops += read_u64(f, &option.value) & INT32_MAX;
		said = true;
	}
	if (body.truncated)
		return cut(f, "damaged interface statistics");
	if (i && said) {
		i->public.drops = (int64_t)drops;
		i->has_statistics = true;
	}
	return STEP_ON;
}

/* What a packet says of drops counts only where no statistics do. */
static void add_dropped(struct interface *i, uint64_t n)
{
	if (i->dropped < INT64_MAX / 2)
		i->dropped += (int64_t)(n & INT32_MAX);
	if (!i->has_statistics && i->dropped > i->public.drops)
		i->public.drops = i->dropped;
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

/* Of eBPF programs a 64-bit number; of hardware any bytes, the last 8 are kept */
static uint64_t verdict_of(const struct pcapng_file *f, struct cursor value)
{
	uint64_t verdict = 0;

	if (cursor_u8(&value) != 0 && value.left == 8)
		verdict = read_u64(f, &value);
	else
		while (value.left > 0)
			verdict = verdict << 8 | cursor_u8(&value);
	return verdict == UINT64_MAX ? verdict : verdict + 1;
}

/* Returns false if it cannot be what it says */
static bool read_packet_option(struct pcapng_file *f, struct interface *i,
                               struct option *option, struct frame *frame)
{
	size_t n = option->value.left;

	switch (option->code) {
	case OPTION_COMMENT:
		if (!frame->comment) {
			set_text(&f->comment, &option->value);
			frame->comment = f->comment;
		}
		break;
	case OPTION_PACKET_FLAGS:
		frame->direction = direction_of(read_u32(f, &option->value));
		return n == 4;
	case OPTION_PACKET_DROPCOUNT:
		add_dropped(i, read_u64(f, &option->value));
		return n == 8;
	case OPTION_PACKET_ID:
		frame->packet_id = read_u64(f, &option->value);
		return n == 8;
	case OPTION_PACKET_VERDICT:
		frame->verdict = verdict_of(f, option->value);
		return n >= 1;
	}
	return true;
}

/* The rest of a packet block: the bytes, then the options */
static enum step read_packet(struct pcapng_file *f, struct interface *i,
                             struct cursor body, struct frame *frame)
{
	struct option option;

	if (!i)
		return cut(f, "a packet of an interface that is not described");
	if (frame->caplen > CAPLEN_MAX)
		return cut(f, "a packet has an impossible length");
	frame->bytes = cursor_take(&body, frame->caplen);
	(void)cursor_take(&body, padding(frame->caplen));
	if (body.truncated)
		return cut(f, "a packet is longer than its block");

	while (next_option(f, &body, &option))
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
	struct interface *i = find_interface(f, id);
	uint64_t high = read_u32(f, &body);
	uint64_t units = high << 32 | read_u32(f, &body);
	uint32_t caplen = read_u32(f, &body);
	uint32_t len = read_u32(f, &body);

	*frame = (struct frame){
		.ts_ns = i ? time_of(i, units) : 0,
		.caplen = caplen,
		.len = len,
		.interface = f->section_first + id,
	};
	return read_packet(f, i, body, frame);
}

static enum step read_obsolete_packet(struct pcapng_file *f, struct cursor body,
                                      struct frame *frame)
{
	uint16_t id = read_u16(f, &body);
	uint16_t dropped = read_u16(f, &body);
	struct interface *i = find_interface(f, id);

	if (i && dropped != UINT16_MAX)
		add_dropped(i, dropped);
	return read_time_and_packet(f, id, body, frame);
}

static enum step read_simple_packet(struct pcapng_file *f, struct cursor body,
                                    struct frame *frame)
{
	struct interface *i = find_interface(f, 0);
	uint32_t len = read_u32(f, &body);
	uint32_t snaplen = i ? i->public.snaplen : 0;

	*frame = (struct frame){
		.caplen = snaplen && snaplen < len ? snaplen : len,
		.len = len,
		.interface = f->section_first,
	};
	/* There are no options; what is left over is nobody's. */
	cursor_limit(&body, frame->caplen + padding(frame->caplen));
	return read_packet(f, i, body, frame);
}

static enum step read_section(struct pcapng_file *f, struct cursor body)
{
	struct option option;
	uint16_t major, minor;

	(void)read_u32(f, &body); /* byte order magic */
	major = read_u16(f, &body);
	minor = read_u16(f, &body);
	(void)read_u64(f, &body); /* section length, a hint */
	if (!body.truncated && (major != 1 || (minor != 0 && minor != 2)))
		return cut(f, "pcapng version %u.%u is not supported", major,
		           minor);
	while (next_option(f, &body, &option))
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
		id = read_u32(f, &body);
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
	type = read_u32(f, &head);
	n = read_u32(f, &head);
	if (n < BLOCK_SIZE_MIN || n > BLOCK_SIZE_MAX)
		return cut(f, "a block has an impossible length of %u bytes",
		           n);
	n += (uint32_t)padding(n); /* some writers forget to count it */
	p = stream_peek(f->stream, n);
	if (!p)
		return cut(f, "the file ends inside a block");

	tail = cursor_of(p + n - BLOCK_TRAILER_SIZE, BLOCK_TRAILER_SIZE);
	if (((read_u32(f, &tail) + 3) & ~3U) != n)
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
		free_interface(f->interfaces[i]);
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
