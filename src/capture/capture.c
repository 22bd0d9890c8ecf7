#include "config.h"

#include "capture/capture.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "capture/pcap_file.h"
#include "capture/pcapng_file.h"
#include "capture/stream.h"

#define HEAD_SIZE 12

struct capture {
	char *path;
	struct stream *stream;
	struct pcap_file *pcap;     /* NULL: it is the other format */
	struct pcapng_file *pcapng; /* likewise */
};

/* Files that are taken for captures, and what to do with them. */
static const struct {
	const char *magic;
	size_t n;
	const char *what;
} strangers[] = {
	{ "snoop\0\0\0", 8,
	  "is a Solaris snoop capture; convert it with \"editcap -F pcapng\"" },
	{ "GMBU", 4,
	  "is a Network Monitor capture; convert it with \"editcap -F "
	  "pcapng\"" },
	{ "RTSS", 4,
	  "is a Network Monitor capture; convert it with \"editcap -F "
	  "pcapng\"" },
	{ "\xfd"
	  "7zXZ",
	  5, "is compressed with xz; decompress it with \"xz -d\"" },
	{ "BZh", 3,
	  "is compressed with bzip2; decompress it with \"bzip2 -d\"" },
	{ "\x04\x22\x4d\x18", 4,
	  "is compressed with lz4; decompress it with \"lz4 -d\"" },
	{ "PK\x03\x04", 4, "is a zip archive; unpack it" },
};

static bool refuse_stranger(const struct capture *c, struct errmsg *err)
{
	const struct stream *s = c->stream;
	const char *suffix = strrchr(c->path, '.');
	const char *compression = stream_compression(s);

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (s->left >= strangers[i].n &&
		    memcmp(s->next, strangers[i].magic, strangers[i].n) == 0)
			return errmsg_set(err, "%s", strangers[i].what);
	/* An event trace begins with nothing that would tell it. */
	if (suffix && strcasecmp(suffix, ".etl") == 0)
		return errmsg_set(err, "is not a pcap or pcapng capture; "
		                       "convert a pktmon trace with "
		                       "\"pktmon etl2pcap\"");
	return errmsg_set(err, "%sis not a pcap or pcapng capture",
	                  compression ? "once decompressed, " : "");
}

/* Look at the first bytes and give the stream to the reader of that format */
static bool open_format(struct capture *c, struct errmsg *err)
{
	const uint8_t *head = stream_peek(c->stream, HEAD_SIZE);

	if (!head && stream_error(c->stream))
		return errmsg_set(err, "%s", stream_error(c->stream));
	if (c->stream->left == 0)
		return errmsg_set(err, "is empty once decompressed");

	if (head && pcapng_file_probe(head)) {
		c->pcapng = pcapng_file_open(c->stream, err);
		return c->pcapng != NULL;
	}
	if (c->stream->left >= 4 && pcap_file_probe(c->stream->next)) {
		c->pcap = pcap_file_open(c->stream, err);
		return c->pcap != NULL;
	}
	return refuse_stranger(c, err);
}

static bool check_linktypes(const struct capture *c, struct errmsg *err)
{
	uint32_t first = capture_interface(c, 0)->linktype;
	const char *name = linktype_name(first);

	for (uint32_t i = 0; i < capture_interface_count(c); i++)
		if (capture_interface(c, i)->supported)
			return true;
	if (name)
		return errmsg_set(err, "link type %s (%u) is not supported",
		                  name, first);
	return errmsg_set(err, "link type %u is not supported", first);
}

static bool open_all(struct capture *c, struct errmsg *err)
{
	c->stream = stream_open(c->path, err);
	return c->stream && open_format(c, err) && check_linktypes(c, err);
}

struct capture *capture_open(const char *path, struct errmsg *err)
{
	struct capture *c = xcalloc(1, sizeof(*c));
	struct errmsg reason;
	struct strbuf name = { 0 };

	c->path = text_copy(path);
	if (open_all(c, &reason))
		return c;

	if (strcmp(path, "-") == 0)
		strbuf_puts(&name, "standard input");
	else
		strbuf_put_escaped(&name, path, strlen(path));
	errmsg_set(err, "%s: %s", strbuf_text(&name), reason.text);
	strbuf_free(&name);
	capture_close(c);
	return NULL;
}

void capture_close(struct capture *c)
{
	if (!c)
		return;
	pcap_file_close(c->pcap);
	pcapng_file_close(c->pcapng);
	stream_close(c->stream);
	free(c->path);
	free(c);
}

enum capture_result capture_next(struct capture *c, struct frame *frame)
{
	return c->pcap ? pcap_file_next(c->pcap, frame)
	               : pcapng_file_next(c->pcapng, frame);
}

void capture_rewind(struct capture *c)
{
	if (c->pcap)
		pcap_file_rewind(c->pcap);
	else
		pcapng_file_rewind(c->pcapng);
}

const char *capture_path(const struct capture *c)
{
	return c->path;
}

uint64_t capture_bytes(const struct capture *c)
{
	return stream_bytes(c->stream);
}

const char *capture_format(const struct capture *c)
{
	return c->pcap ? "pcap" : "pcapng";
}

const char *capture_compression(const struct capture *c)
{
	return stream_compression(c->stream);
}

const char *capture_cut(const struct capture *c)
{
	return c->pcap ? pcap_file_cut(c->pcap) : pcapng_file_cut(c->pcapng);
}

uint32_t capture_interface_count(const struct capture *c)
{
	return c->pcap ? 1 : pcapng_file_interface_count(c->pcapng);
}

const struct capture_interface *capture_interface(const struct capture *c,
                                                  uint32_t i)
{
	assert(i < capture_interface_count(c));
	return c->pcap ? pcap_file_interface(c->pcap)
	               : pcapng_file_interface(c->pcapng, i);
}

bool linktype_supported(uint32_t linktype)
{
	switch (linktype) {
	case LINKTYPE_BSD_NULL:
	case LINKTYPE_EN10MB:
	case LINKTYPE_RAW_BSD:
	case LINKTYPE_RAW_OPENBSD:
	case LINKTYPE_RAW_IP:
	case LINKTYPE_BSD_LOOP:
	case LINKTYPE_LINUX_SLL:
	case LINKTYPE_RAW_IPV4:
	case LINKTYPE_RAW_IPV6:
	case LINKTYPE_LINUX_SLL2:
		return true;
	default:
		return false;
	}
}
