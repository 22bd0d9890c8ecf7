/*
 * Captures made byte by byte, and what is expected of our reader of them.
 */
#ifndef PCAPDIAG_TESTS_CAPTURE_FILE_H
#define PCAPDIAG_TESTS_CAPTURE_FILE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "capture/capture.h"

#define MICROSECONDS 0xa1b2c3d4
#define NANOSECONDS 0xa1b23c4d
#define KUZNETZOV 0xa1b2cd34
#define SECTION 0x0a0d0d0a
#define ETHERNET LINKTYPE_EN10MB
#define RADIOTAP 127

/* The file under construction; each test runs in its own process. */
static struct strbuf file;
static bool big_endian;

static inline void set_number(char *to, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		to[big_endian ? bytes - 1 - i : i] = (char)(value >> (8 * i));
}

static inline void put(uint64_t value, unsigned int bytes)
{
	char number[8];

	set_number(number, value, bytes);
	strbuf_add(&file, number, bytes);
}

static inline void put_u32s(size_t n, const uint32_t *values)
{
	for (size_t i = 0; i < n; i++)
		put(values[i], 4);
}

#define PUT_U32S(...)                                                          \
	put_u32s(sizeof((uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t),       \
	         (uint32_t[]){ __VA_ARGS__ })

static inline void pcap_header(uint32_t magic, uint16_t minor,
                               uint32_t linktype)
{
	put(magic, 4);
	put(2, 2);
	put(minor, 2);
	PUT_U32S(0, 0, 96, linktype);
}

/* Data that tells which frame it is of */
static inline void put_data(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		put(n, 1);
}

static inline void pcap_record(uint32_t seconds, uint32_t fraction,
                               uint32_t caplen, uint32_t len)
{
	PUT_U32S(seconds, fraction, caplen, len);
	put_data(caplen);
}

static inline void pad(void)
{
	while (file.len % 4)
		put(0, 1);
}

static inline size_t begin_block(uint32_t type)
{
	size_t start = file.len;

	PUT_U32S(type, 0);
	return start;
}

static inline void end_block(size_t start)
{
	pad();
	put(file.len + 4 - start, 4);
	set_number(file.text + start + 4, file.len - start, 4);
}

static inline void option(uint16_t code, const char *bytes, size_t n)
{
	put(code, 2);
	put(n, 2);
	strbuf_add(&file, bytes, n);
	pad();
}

static inline void number_option(uint16_t code, uint64_t value,
                                 unsigned int bytes)
{
	put(code, 2);
	put(bytes, 2);
	put(value, bytes);
	pad();
}

static inline void section(void)
{
	size_t start = begin_block(SECTION);

	put(0x1a2b3c4d, 4);
	put(1, 2);
	put(0, 2);
	put(UINT64_MAX, 8);
	end_block(start);
}

static inline size_t begin_interface(uint32_t linktype, uint32_t snaplen)
{
	size_t start = begin_block(1);

	put(linktype, 2);
	put(0, 2);
	put(snaplen, 4);
	return start;
}

static inline void interface(uint32_t linktype)
{
	end_block(begin_interface(linktype, 0));
}

static inline size_t begin_packet(uint32_t id, uint64_t units, uint32_t caplen)
{
	size_t start = begin_block(6);

	PUT_U32S(id, (uint32_t)(units >> 32), (uint32_t)units, caplen, 60);
	put_data(caplen);
	pad();
	return start;
}

static inline void packet(uint32_t id, uint64_t units, uint32_t caplen)
{
	end_block(begin_packet(id, units, caplen));
}

static inline const char *write_file(void)
{
	static char path[64];
	int fd;

	strcpy(path, "/tmp/check_capture_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, strbuf_text(&file), file.len),
	                 (ssize_t)file.len);
	(void)close(fd);
	return path;
}

static inline struct capture *open_file(void)
{
	const char *path = write_file();
	struct errmsg err;
	struct capture *c = capture_open(path, &err);

	(void)unlink(path);
	ck_assert_msg(c != NULL, "%s", err.text);
	return c;
}

static inline void expect_refusal_of(const char *path, const char *what)
{
	struct errmsg err;

	ck_assert_ptr_null(capture_open(path, &err));
	ck_assert_int_eq(strncmp(err.text, path, strlen(path)), 0);
	ck_assert_str_eq(err.text + strlen(path), what);
}

static inline void expect_refusal(const char *what)
{
	const char *path = write_file();

	expect_refusal_of(path, what);
	(void)unlink(path);
}

static inline struct frame expect_frame(struct capture *c, uint64_t number,
                                        int64_t ts_ns, uint32_t caplen)
{
	struct frame frame;

	ck_assert_int_eq(capture_next(c, &frame), CAPTURE_FRAME);
	ck_assert_uint_eq(frame.number, number);
	ck_assert_int_eq(frame.ts_ns, ts_ns);
	ck_assert_uint_eq(frame.caplen, caplen);
	ck_assert_uint_ge(frame.len, caplen);
	for (uint32_t i = 0; i < caplen; i++)
		if (frame.bytes[i] != (caplen & 0xff))
			ck_abort_msg("byte %u of frame %lu", i, number);
	return frame;
}

static inline void expect_end(struct capture *c, uint64_t number)
{
	struct frame frame;

	ck_assert_int_eq(capture_next(c, &frame), CAPTURE_END);
	ck_assert_uint_eq(frame.number, number);
	ck_assert_int_eq(capture_next(c, &frame), CAPTURE_END);
}

static inline void expect_cut(struct capture *c, const char *what)
{
	struct frame frame;

	ck_assert_int_eq(capture_next(c, &frame), CAPTURE_CUT);
	ck_assert_str_eq(capture_cut(c), what);
}

#endif
