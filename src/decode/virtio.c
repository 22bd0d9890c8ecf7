#include "decode/packet.h"

/* All that is defined of flags and gso_type */
#define FLAGS_MAX 0x07
#define FLAG_NEEDS_CSUM 0x01
#define GSO_ECN 0x80

static bool is_gso_type(uint8_t type)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 5 };

	for (size_t i = 0; i < sizeof(types); i++)
		if ((type & ~GSO_ECN) == types[i])
			return true;
	return false;
}

static bool is_readable(const struct frame *frame, uint32_t skipped)
{
	struct frame rest = *frame;
	struct packet p;

	rest.bytes += skipped;
	rest.caplen -= skipped;
	rest.len -= skipped;
	packet_decode(&rest, LINKTYPE_EN10MB, &p);
	return p.kind != PACKET_KIND_OTHER &&
	       p.status != PACKET_STATUS_MALFORMED;
}

/* What is not in use is zero, in either byte order. */
static bool is_header(struct cursor c)
{
	uint8_t flags = cursor_u8(&c);
	uint8_t gso_type = cursor_u8(&c);
	uint16_t gso_size, csum_start, csum_offset;

	cursor_be16(&c); /* hdr_len: a hint, with or without GSO */
	gso_size = cursor_be16(&c);
	csum_start = cursor_be16(&c);
	csum_offset = cursor_be16(&c);
	if (c.truncated || flags > FLAGS_MAX || !is_gso_type(gso_type))
		return false;
	return (gso_size != 0) == (gso_type != 0) &&
	       (csum_start != 0) == (flags & FLAG_NEEDS_CSUM) &&
	       (csum_offset != 0) == (flags & FLAG_NEEDS_CSUM);
}

uint32_t virtio_header_bytes(const struct frame *frame)
{
	/* With the number of buffers behind it, and without */
	static const uint32_t lengths[] = { 12, 10 };

	if (!is_header(cursor_of(frame->bytes, frame->caplen)) ||
	    is_readable(frame, 0))
		return 0;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		if (frame->caplen > lengths[i] &&
		    is_readable(frame, lengths[i]))
			return lengths[i];
	return 0;
}
