#include "config.h"

#include "capture/pcap_file.h"

#include <endian.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define HEADER_SIZE 24
#define RECORD_HEADER_SIZE 16
#define CAPLEN_MAX 262144 /* what libpcap and tshark take for sane */
#define LIBPCAP_BUFFER_SIZE ((size_t)256 * 1024)
#define NS_PER_S 1000000000
#define LINKTYPE_MASK 0x03ffffff /* above it: length of the frame check */

#define MAGIC_MICROSECONDS 0xa1b2c3d4
#define MAGIC_NANOSECONDS 0xa1b23c4d
#define MAGIC_KUZNETZOV 0xa1b2cd34 /* longer record headers (old Linux) */
#define MAGIC_NAVTEL 0xa1b234cd

struct pcap_file {
	struct stream *stream;
	struct capture_interface interface;
	bool big_endian;
	uint32_t ns_per_unit;
	uint64_t number;
	char cut[PCAP_ERRBUF_SIZE + 64];
	pcap_t *odd;      /* reads the records of an odd variant, or NULL */
	char *odd_buffer; /* of its FILE */
};

static uint32_t get_u32(const uint8_t *p, bool big_endian)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return big_endian ? be32toh(value) : le32toh(value);
}

/* Tells the byte order as well; 0 if it is none */
static uint32_t known_magic(const uint8_t *p, bool *big_endian)
{
	static const uint32_t magics[] = { MAGIC_MICROSECONDS,
		                           MAGIC_NANOSECONDS, MAGIC_KUZNETZOV,
		                           MAGIC_NAVTEL };

	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++) {
		*big_endian = get_u32(p, true) == magics[i];
		if (*big_endian || get_u32(p, false) == magics[i])
			return magics[i];
	}
	return 0;
}

bool pcap_file_probe(const uint8_t magic[4])
{
	bool big_endian;

	return known_magic(magic, &big_endian) != 0;
}

static ssize_t cookie_read(void *cookie, char *to, size_t n)
{
	struct stream *s = cookie;
	const uint8_t *bytes = stream_peek(s, 1);

	if (!bytes)
		return 0;
	if (n > s->left)
		n = s->left;
	memcpy(to, bytes, n);
	stream_skip(s, n);
	return (ssize_t)n;
}

/* libpcap on @file, which it closes in either case */
static pcap_t *open_libpcap(FILE *file, struct errmsg *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;

	if (!file) {
		errmsg_set(err, "libpcap cannot be given the file");
		return NULL;
	}
	pcap = pcap_fopen_offline_with_tstamp_precision(
		file, PCAP_TSTAMP_PRECISION_NANO, text);
	if (pcap)
		return pcap;
	errmsg_set(err, "%s", text);
	(void)fclose(file);
	return NULL;
}

/* All of the file through libpcap */
static bool open_odd(struct pcap_file *f, struct errmsg *err)
{
	const cookie_io_functions_t functions = { .read = cookie_read };
	FILE *file;

	stream_rewind(f->stream);
	file = fopencookie(f->stream, "rb", functions);
	if (file)
		(void)setvbuf(file, f->odd_buffer, _IOFBF, LIBPCAP_BUFFER_SIZE);
	f->odd = open_libpcap(file, err);
	return f->odd != NULL;
}

static bool libpcap_accepts(uint8_t header[HEADER_SIZE], struct errmsg *err)
{
	pcap_t *pcap = open_libpcap(fmemopen(header, HEADER_SIZE, "rb"), err);

	if (!pcap)
		return false;
	pcap_close(pcap);
	return true;
}

/* Up to version 2.3 the two lengths of a record could be swapped. */
static bool is_odd(uint32_t magic, const uint8_t *header, bool big_endian)
{
	static const uint8_t version[2][4] = { { 2, 0, 4, 0 }, { 0, 2, 0, 4 } };

	if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS)
		return true;
	return memcmp(header + 4, version[big_endian], 4) != 0;
}

static bool read_header(struct pcap_file *f, struct errmsg *err)
{
	uint8_t header[HEADER_SIZE];
	const uint8_t *bytes = stream_peek(f->stream, sizeof(header));
	uint32_t magic;

	if (!bytes && stream_error(f->stream))
		return errmsg_set(err, "%s", stream_error(f->stream));
	if (!bytes)
		return errmsg_set(err, "the file ends inside its header");
	memcpy(header, bytes, sizeof(header));
	if (!libpcap_accepts(header, err))
		return false;

	magic = known_magic(header, &f->big_endian);
	f->ns_per_unit = magic == MAGIC_NANOSECONDS ? 1 : 1000;
	f->interface.snaplen = get_u32(header + 16, f->big_endian);
	f->interface.linktype =
		get_u32(header + 20, f->big_endian) & LINKTYPE_MASK;
	f->interface.supported = linktype_supported(f->interface.linktype);
	f->interface.drops = -1;

	if (is_odd(magic, header, f->big_endian)) {
		f->odd_buffer = xreallocarray(NULL, LIBPCAP_BUFFER_SIZE, 1);
		return open_odd(f, err);
	}
	stream_skip(f->stream, sizeof(header));
	return true;
}

struct pcap_file *pcap_file_open(struct stream *s, struct errmsg *err)
{
	struct pcap_file *f = xcalloc(1, sizeof(*f));

	f->stream = s;
	if (read_header(f, err))
		return f;
	pcap_file_close(f);
	return NULL;
}

void pcap_file_close(struct pcap_file *f)
{
	if (!f)
		return;
	if (f->odd)
		pcap_close(f->odd);
	free(f->odd_buffer);
	free(f);
}

static int64_t time_of(uint32_t seconds, uint32_t fraction,
                       uint32_t ns_per_unit)
{
	if (fraction >= NS_PER_S / ns_per_unit)
		return 0;
	return (int64_t)seconds * NS_PER_S + (int64_t)fraction * ns_per_unit;
}

static enum capture_result fill_frame(struct pcap_file *f, struct frame *frame,
                                      int64_t ts_ns, const uint8_t *bytes,
                                      uint32_t caplen, uint32_t len)
{
	*frame = (struct frame){
		.number = ++f->number,
		.ts_ns = ts_ns,
		.caplen = caplen,
		.len = len < caplen ? caplen : len,
		.bytes = bytes,
	};
	return CAPTURE_FRAME;
}

static enum capture_result cut(struct pcap_file *f, const char *what)
{
	const char *reason = stream_error(f->stream);

	if (reason)
		what = reason;
	if (f->number > 0)
		(void)snprintf(f->cut, sizeof(f->cut), "%s after frame %llu",
		               what, (unsigned long long)f->number);
	else
		(void)snprintf(f->cut, sizeof(f->cut), "%s", what);
	return CAPTURE_CUT;
}

/* The file ends: where it should only if nothing is left over */
static enum capture_result end(struct pcap_file *f, const char *what)
{
	if (f->stream->left == 0 && !stream_error(f->stream))
		return CAPTURE_END;
	return cut(f, what);
}

static enum capture_result next_odd(struct pcap_file *f, struct frame *frame)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;

	switch (f->odd ? pcap_next_ex(f->odd, &header, &bytes) : PCAP_ERROR) {
	case 1:
		/* Asked for nanoseconds, libpcap keeps them in tv_usec. */
		return fill_frame(f, frame,
		                  time_of((uint32_t)header->ts.tv_sec,
		                          (uint32_t)header->ts.tv_usec, 1),
		                  bytes, header->caplen, header->len);
	case PCAP_ERROR_BREAK:
		return end(f, "the file ends");
	default:
		return cut(f, f->odd ? pcap_geterr(f->odd)
		                     : "the file cannot be read again");
	}
}

static enum capture_result next_record(struct pcap_file *f, struct frame *frame)
{
	const uint8_t *p = stream_peek(f->stream, RECORD_HEADER_SIZE);
	uint32_t caplen;

	if (!p)
		return end(f, "the file ends inside a record header");
	caplen = get_u32(p + 8, f->big_endian);
	if (caplen > CAPLEN_MAX)
		return cut(f, "a record has an impossible length");
	p = stream_peek(f->stream, RECORD_HEADER_SIZE + (size_t)caplen);
	if (!p)
		return cut(f, "the file ends inside the record");

	/* The bytes stay in place until the next peek. */
	stream_skip(f->stream, RECORD_HEADER_SIZE + (size_t)caplen);
	return fill_frame(
		f, frame,
		time_of(get_u32(p, f->big_endian),
	                get_u32(p + 4, f->big_endian), f->ns_per_unit),
		p + RECORD_HEADER_SIZE, caplen, get_u32(p + 12, f->big_endian));
}

enum capture_result pcap_file_next(struct pcap_file *f, struct frame *frame)
{
	enum capture_result result;

	result = f->odd_buffer ? next_odd(f, frame) : next_record(f, frame);
	if (result != CAPTURE_FRAME)
		*frame = (struct frame){ .number = f->number };
	return result;
}

void pcap_file_rewind(struct pcap_file *f)
{
	struct errmsg err;

	f->number = 0;
	f->cut[0] = '\0';
	if (!f->odd_buffer) {
		stream_rewind(f->stream);
		if (stream_peek(f->stream, HEADER_SIZE))
			stream_skip(f->stream, HEADER_SIZE);
		return;
	}
	if (f->odd)
		pcap_close(f->odd);
	(void)open_odd(f, &err);
}

const char *pcap_file_cut(const struct pcap_file *f)
{
	return f->cut;
}

const struct capture_interface *pcap_file_interface(const struct pcap_file *f)
{
	return &f->interface;
}

const char *linktype_name(uint32_t linktype)
{
	/* Where libpcap's own number (DLT_) is another than in files. */
	switch (linktype) {
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
	case LINKTYPE_RAW_IP:
		return "RAW";
	case 100:
		return pcap_datalink_val_to_name(DLT_ATM_RFC1483);
	case 102:
		return pcap_datalink_val_to_name(DLT_SLIP_BSDOS);
	case 103:
		return pcap_datalink_val_to_name(DLT_PPP_BSDOS);
	case 106:
		return pcap_datalink_val_to_name(DLT_ATM_CLIP);
	default:
		return linktype <= INT16_MAX
		               ? pcap_datalink_val_to_name((int)linktype)
		               : NULL;
	}
}
