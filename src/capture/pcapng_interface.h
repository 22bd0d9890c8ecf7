/*
 * What a pcapng file says of an interface: its description, its clock and its
 * statistics; and the options that any block may end with.
 */
#ifndef PCAPDIAG_CAPTURE_PCAPNG_INTERFACE_H
#define PCAPDIAG_CAPTURE_PCAPNG_INTERFACE_H

#include "base/cursor.h"
#include "capture/capture.h"

/**
 * struct pcapng_interface - One interface of one section
 * @public:		what capture_interface() shows
 * @units_per_s:	of time stamps; 0: finer than can be reckoned
 * @ns_per_unit:	likewise; 0: not a whole number
 * @offset_s:		seconds to add to each time stamp
 * @has_statistics:	@public.drops is from a statistics block
 * @dropped:		in this pass, by what the packets say
 */
struct pcapng_interface {
	struct capture_interface public;
	uint64_t units_per_s;
	uint32_t ns_per_unit;
	int64_t offset_s;
	bool has_statistics;
	uint64_t dropped;
};

struct pcapng_option {
	uint16_t code;
	struct cursor value;
};

/* Numbers in the byte order of the section */

static inline uint16_t pcapng_u16(struct cursor *c, bool big_endian)
{
	uint16_t value = cursor_be16(c);

	if (big_endian)
		return value;
	return (uint16_t)(value << 8 | value >> 8);
}

static inline uint32_t pcapng_u32(struct cursor *c, bool big_endian)
{
	return big_endian ? cursor_be32(c) : cursor_le32(c);
}

static inline uint64_t pcapng_u64(struct cursor *c, bool big_endian)
{
	uint64_t first = pcapng_u32(c, big_endian);
	uint64_t second = pcapng_u32(c, big_endian);

	return big_endian ? first << 32 | second : second << 32 | first;
}

/** pcapng_padding() - What follows @n bytes up to a multiple of four */
static inline size_t pcapng_padding(size_t n)
{
	return -n & 3;
}

/**
 * pcapng_next_option() - Take the next option
 *
 * Return: false at the end; @options is truncated if that was not where it
 * should be
 */
bool pcapng_next_option(struct cursor *options, bool big_endian,
                        struct pcapng_option *option);

/** pcapng_set_text() - Make *@text a new copy of an option's value */
void pcapng_set_text(char **text, const struct cursor *value);

/** pcapng_interface_new() - Read a description; NULL if it is damaged */
struct pcapng_interface *pcapng_interface_new(struct cursor body,
                                              bool big_endian);

void pcapng_interface_free(struct pcapng_interface *i);

/** pcapng_interface_time() - Nanoseconds in [0, 2^62); 0 if out of it */
int64_t pcapng_interface_time(const struct pcapng_interface *i, uint64_t units);

/** pcapng_interface_add_dropped() - A packet says that @n were lost before it */
void pcapng_interface_add_dropped(struct pcapng_interface *i, uint64_t n);

/**
 * pcapng_interface_read_statistics() - Read what follows the interface id
 * @i:	NULL: of an interface that is not described
 *
 * Return: false if the block is damaged
 */
bool pcapng_interface_read_statistics(struct pcapng_interface *i,
                                      struct cursor body, bool big_endian);

#endif
