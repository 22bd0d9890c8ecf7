/*
 * One capture file as a sequence of frames: pcap (through libpcap) and pcapng
 * (our own reader, draft-ietf-opsawg-pcapng), plain, gzip or zstd, told apart
 * by content.  Frames are numbered as tshark numbers them, from 1: every packet
 * block counts, also one of a link type that is not decoded.
 */
#ifndef PCAPDIAG_CAPTURE_CAPTURE_H
#define PCAPDIAG_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

/* Link types (LINKTYPE_ values of pcap files) that are decoded. */
enum linktype {
	LINKTYPE_BSD_NULL = 0,
	LINKTYPE_EN10MB = 1,
	LINKTYPE_RAW_BSD = 12, /* also 14 (OpenBSD) and 101 */
	LINKTYPE_RAW_OPENBSD = 14,
	LINKTYPE_RAW_IP = 101,
	LINKTYPE_BSD_LOOP = 108,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_RAW_IPV4 = 228,
	LINKTYPE_RAW_IPV6 = 229,
	LINKTYPE_LINUX_SLL2 = 276,
};

enum frame_direction {
	FRAME_DIRECTION_UNKNOWN,
	FRAME_DIRECTION_IN,
	FRAME_DIRECTION_OUT,
};

/**
 * struct frame - One captured frame
 * @number:	from 1, as tshark shows it; after CAPTURE_END and CAPTURE_CUT the
 *		number of the file's last one, which may be a block that is no
 *		packet (custom, system call, journal): those take a number only
 * @ts_ns:	nanoseconds since the Unix epoch, in [0, 2^62); 0 where the file
 *		has none or an impossible one
 * @caplen:	bytes at @bytes
 * @len:	bytes on the wire, at least @caplen
 * @bytes:	captured bytes; valid until the next capture_next()
 * @interface:	index for capture_interface()
 * @direction:	from the pcapng flags of the frame
 * @packet_id:	pcapng packet id; 0: none
 * @dropped:	by its pcapng verdict it went no further: dropped or aborted by a
 *		program of XDP, shot by one of traffic control
 * @comment:	pcapng comment (NUL-terminated), or NULL
 */
struct frame {
	uint64_t number;
	int64_t ts_ns;
	uint32_t caplen;
	uint32_t len;
	const uint8_t *bytes;
	uint32_t interface;
	enum frame_direction direction;
	uint64_t packet_id;
	bool dropped;
	const char *comment;
};

/**
 * struct capture_interface - One interface of one section
 * @name:	pcapng if_name, or NULL
 * @filter:	capture filter that the file declares, or NULL
 * @by_source:	a port of a Hyper-V switch as etl2pcapng names it: what the switch
 *		got from there.  All of them together show the switch
 * @linktype:	LINKTYPE_ value; may be one that is not supported
 * @supported:	frames of this link type can be decoded
 * @snaplen:	0: none given
 * @drops:	frames dropped (interface statistics, or else the sum of what the
 *		packets say), as far as the file was read; -1: not said
 */
struct capture_interface {
	char *name;
	char *filter;
	bool by_source;
	uint32_t linktype;
	bool supported;
	uint32_t snaplen;
	int64_t drops;
};

enum capture_result {
	CAPTURE_FRAME, /* *frame is set */
	CAPTURE_END,   /* the file ended where it should */
	CAPTURE_CUT,   /* it ended or broke in the middle; see capture_cut() */
};

struct capture;

/**
 * capture_open() - Open @path and read its head
 * @path:	file name, or "-" for standard input (spooled to a temporary file)
 * @err:	set on failure: "FILE: what is wrong"
 *
 * Refused: missing, unreadable, a directory, empty, not a capture, or a file
 * whose interfaces all have link types that are not supported (the message names
 * the type).  Interfaces that come later in a pcapng are found while reading.
 *
 * Return: the capture, freed by capture_close(), or NULL
 */
struct capture *capture_open(const char *path, struct errmsg *err);

void capture_close(struct capture *c);

/** capture_next() - Read the next frame into @frame */
enum capture_result capture_next(struct capture *c, struct frame *frame);

/** capture_rewind() - Begin again at the first frame; interfaces stay known */
void capture_rewind(struct capture *c);

const char *capture_path(const struct capture *c);

/** capture_bytes() - Size of the file as it lies on disk */
uint64_t capture_bytes(const struct capture *c);

/** capture_format() - "pcap" or "pcapng" */
const char *capture_format(const struct capture *c);

/** capture_compression() - "gzip", "zstd" or NULL */
const char *capture_compression(const struct capture *c);

/** capture_cut() - After CAPTURE_CUT: what was found, for the report */
const char *capture_cut(const struct capture *c);

/** capture_interface_count() - Interfaces known so far */
uint32_t capture_interface_count(const struct capture *c);

/** capture_interface() - Interface @i; stays where it is until the close */
const struct capture_interface *capture_interface(const struct capture *c,
                                                  uint32_t i);

/** linktype_supported() - Can frames of this LINKTYPE_ be decoded? */
bool linktype_supported(uint32_t linktype);

/** linktype_name() - "EN10MB", "LINUX_SLL2" …; "type NNN" is not made: NULL */
const char *linktype_name(uint32_t linktype);

#endif
