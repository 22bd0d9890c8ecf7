#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "capture_file.h"
#include "run_tests.h"

START_TEST(pcap_of_either_byte_order_and_resolution)
{
	struct capture *c;

	for (int i = 0; i < 4; i++) {
		uint32_t magic = i & 1 ? NANOSECONDS : MICROSECONDS;

		big_endian = i >= 2;
		file.len = 0;
		pcap_header(magic, 4, LINKTYPE_LINUX_SLL2);
		pcap_record(7, 5, 3, 60);
		pcap_record(8, 0, 0, 0);
		c = open_file();
		for (int pass = 0; pass < 2; pass++) {
			struct frame frame = expect_frame(
				c, 1, 7000000000 + (i & 1 ? 5 : 5000), 3);

			ck_assert_uint_eq(frame.len, 60);
			expect_frame(c, 2, 8000000000, 0);
			expect_end(c, 2);
			capture_rewind(c);
		}
		ck_assert_uint_eq(capture_interface(c, 0)->linktype, 276);
		ck_assert_uint_eq(capture_interface(c, 0)->snaplen, 96);
		ck_assert_str_eq(capture_format(c), "pcap");
		ck_assert_ptr_null(capture_compression(c));
		ck_assert_uint_eq(capture_bytes(c), 24 + 16 + 3 + 16);
		capture_close(c);
	}
}
END_TEST

START_TEST(pcap_odd_times_and_lengths)
{
	struct capture *c;

	pcap_header(MICROSECONDS, 4, ETHERNET);
	pcap_record(UINT32_MAX, 999999, 1, 60);
	pcap_record(5, 1000000, 2, 60);
	pcap_record(5, 0, 300, 60); /* above the snapshot length, and longer */
	c = open_file();            /* than it was on the wire */
	expect_frame(c, 1, UINT32_MAX * INT64_C(1000000000) + 999999000, 1);
	expect_frame(c, 2, 0, 2);
	ck_assert_uint_eq(expect_frame(c, 3, 5000000000, 300).len, 300);
	expect_end(c, 3);
	capture_close(c);
}
END_TEST

START_TEST(pcap_larger_than_the_buffer)
{
	struct capture *c;

	pcap_header(MICROSECONDS, 4, ETHERNET);
	for (uint32_t i = 1; i < 2000; i++)
		pcap_record(i, 0, i, i);
	pcap_record(2000, 0, 262144, 262144);
	c = open_file();
	for (uint32_t i = 1; i < 2000; i++)
		expect_frame(c, i, i * INT64_C(1000000000), i);
	expect_frame(c, 2000, 2000000000000, 262144);
	expect_end(c, 2000);
	capture_close(c);
}
END_TEST

START_TEST(pcap_cut)
{
	struct capture *c;

	pcap_header(MICROSECONDS, 4, ETHERNET);
	pcap_record(1, 0, 40, 40);
	pcap_record(2, 0, 40, 40);
	file.len -= 1;
	c = open_file();
	expect_frame(c, 1, 1000000000, 40);
	expect_cut(c, "the file ends inside the record after frame 1");
	capture_close(c);

	file.len -= 40;
	c = open_file();
	expect_frame(c, 1, 1000000000, 40);
	expect_cut(c, "the file ends inside a record header after frame 1");
	capture_close(c);

	file.len = 24;
	pcap_record(1, 0, 0, 40);
	PUT_U32S(2, 0, 262145, 262145);
	put_data(1000);
	c = open_file();
	expect_frame(c, 1, 1000000000, 0);
	expect_cut(c, "a record has an impossible length after frame 1");
	capture_close(c);
}
END_TEST

/* Longer record headers, and lengths in the other order: libpcap knows. */
START_TEST(pcap_variants)
{
	struct capture *c;

	pcap_header(KUZNETZOV, 4, ETHERNET);
	for (uint32_t i = 1; i < 4; i++) {
		PUT_U32S(i, 1, 2 * i, 60, 0, 0);
		put_data(2 * i);
	}
	file.len--;
	c = open_file();
	for (int pass = 0; pass < 2; pass++) {
		expect_frame(c, 1, 1000001000, 2);
		expect_frame(c, 2, 2000001000, 4);
		expect_cut(c, "truncated dump file; tried to read 6 captured "
		              "bytes, only got 5 after frame 2");
		capture_rewind(c);
	}
	capture_close(c);

	file.len = 0;
	pcap_header(MICROSECONDS, 2, ETHERNET);
	PUT_U32S(1, 1, 60, 4);
	put_data(4);
	c = open_file();
	ck_assert_uint_eq(expect_frame(c, 1, 1000001000, 4).len, 60);
	expect_end(c, 1);
	capture_close(c);
}
END_TEST

/* Replace the file under construction by its compressed form, appended to
 * @before */
static void gzip_file(struct strbuf *before)
{
	z_stream z = { 0 };
	char out[65536];

	ck_assert_int_eq(
		deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY),
		Z_OK);
	z.next_in = (Bytef *)file.text;
	z.avail_in = (uInt)file.len;
	z.next_out = (Bytef *)out;
	z.avail_out = sizeof(out);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	strbuf_add(before, out, sizeof(out) - z.avail_out);
	(void)deflateEnd(&z);
	strbuf_free(&file);
	file = *before;
	*before = (struct strbuf){ 0 };
}

static void many_records(uint32_t n)
{
	pcap_header(MICROSECONDS, 4, ETHERNET);
	for (uint32_t i = 1; i <= n; i++)
		pcap_record(i, 0, i, i);
}

static void expect_many(struct capture *c, uint32_t n)
{
	for (uint32_t i = 1; i <= n; i++)
		expect_frame(c, i, i * INT64_C(1000000000), i);
}

START_TEST(gzip)
{
	struct strbuf before = { 0 };
	struct capture *c;

	many_records(1500);
	gzip_file(&before);
	c = open_file();
	ck_assert_str_eq(capture_compression(c), "gzip");
	ck_assert_uint_eq(capture_bytes(c), file.len);
	for (int pass = 0; pass < 2; pass++) {
		expect_many(c, 1500);
		expect_end(c, 1500);
		capture_rewind(c);
	}
	capture_close(c);

	/* A second member goes on where the first ends; then padding. */
	before = file;
	file = (struct strbuf){ 0 };
	pcap_record(1501, 0, 1501, 1501);
	gzip_file(&before);
	put(0, 8);
	c = open_file();
	expect_many(c, 1501);
	expect_end(c, 1501);
	capture_close(c);
}
END_TEST

START_TEST(gzip_damaged)
{
	struct strbuf before = { 0 };
	struct capture *c;

	many_records(30);
	gzip_file(&before);
	file.len -= 4;
	c = open_file();
	expect_many(c, 30);
	expect_cut(c, "the gzip data ends early after frame 30");
	capture_close(c);

	file.len += 4;
	file.text[file.len - 8] ^= 0x55; /* its checksum */
	c = open_file();
	expect_many(c, 30);
	expect_cut(c, "the gzip data is damaged (incorrect data check) after "
	              "frame 30");
	capture_close(c);
}
END_TEST

START_TEST(zstd)
{
#ifdef HAVE_ZSTD
	static char out[1 << 20];
	struct capture *c;
	size_t n;

	many_records(1500);
	n = ZSTD_compress(out, sizeof(out), file.text, file.len, 3);
	ck_assert(!ZSTD_isError(n));
	file.len = 0;
	strbuf_add(&file, out, n);
	c = open_file();
	ck_assert_str_eq(capture_compression(c), "zstd");
	for (int pass = 0; pass < 2; pass++) {
		expect_many(c, 1500);
		expect_end(c, 1500);
		capture_rewind(c);
	}
	capture_close(c);

	file.len = 20; /* the frame has begun, but no block is whole */
	expect_refusal(": the zstd data ends early");
#endif
}
END_TEST

START_TEST(refusals)
{
	struct strbuf before = { 0 };

	expect_refusal_of("/nonexistent/x", ": No such file or directory");
	expect_refusal_of("/tmp", ": is a directory, not a capture file");
	expect_refusal(": is empty");
	strbuf_puts(&file, "GIF");
	expect_refusal(": is not a pcap or pcapng capture");
	strbuf_puts(&file, "89a, certainly no capture");
	expect_refusal(": is not a pcap or pcapng capture");
	gzip_file(&before);
	expect_refusal(": once decompressed, is not a pcap or pcapng capture");
	strbuf_free(&file);
	gzip_file(&before);
	expect_refusal(": is empty once decompressed");
	file.len = 0;
	strbuf_add(&file, "snoop\0\0\0\0\0\0\2", 12);
	expect_refusal(": is a Solaris snoop capture; convert it with "
	               "\"editcap -F pcapng\"");
}
END_TEST

START_TEST(refusals_of_captures)
{
	pcap_header(MICROSECONDS, 5, ETHERNET);
	expect_refusal(": unsupported pcap savefile version 2.5");
	file.len = 12;
	expect_refusal(": the file ends inside its header");
	file.len = 0;
	pcap_header(MICROSECONDS, 4, RADIOTAP);
	expect_refusal(": link type IEEE802_11_RADIO (127) is not supported");
	file.len = 20;
	put(60000, 4);
	expect_refusal(": link type 60000 is not supported");

	file.len = 0;
	section();
	expect_refusal(": describes no interface, so there are no packets");
	interface(RADIOTAP);
	packet(0, 0, 4);
	interface(105);
	expect_refusal(": link type IEEE802_11_RADIO (127) is not supported");
	interface(ETHERNET); /* late, but not too late */
	capture_close(open_file());
}
END_TEST

/* A writer at the other end of a FIFO, in another process */
static void serve(const char *path)
{
	int fd;

	if (fork() != 0)
		return;
	fd = open(path, O_WRONLY);
	if (write(fd, strbuf_text(&file), file.len) < 0)
		_exit(EXIT_FAILURE);
	_exit(EXIT_SUCCESS);
}

START_TEST(pipes)
{
	char path[] = "/tmp/check_capture_XXXXXX";
	char fifo[64];
	struct errmsg err;
	struct capture *c;

	ck_assert_ptr_nonnull(mkdtemp(path));
	(void)snprintf(fifo, sizeof(fifo), "%s/fifo", path);
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	serve(fifo);
	expect_refusal_of(fifo, ": is empty");

	many_records(1500);
	serve(fifo);
	c = capture_open(fifo, &err);
	ck_assert_ptr_nonnull(c);
	ck_assert_uint_eq(capture_bytes(c), file.len);
	expect_many(c, 1500);
	capture_rewind(c);
	expect_many(c, 1500);
	capture_close(c);

	serve(fifo);
	ck_assert_int_eq(dup2(open(fifo, O_RDONLY), STDIN_FILENO), 0);
	c = capture_open("-", &err);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(capture_path(c), "-");
	expect_many(c, 1500);
	expect_end(c, 1500);
	capture_close(c);
	ck_assert_ptr_null(capture_open("-", &err));
	ck_assert_str_eq(err.text, "standard input: is empty");

	(void)unlink(fifo);
	(void)rmdir(path);
}
END_TEST

START_TEST(linktype_names)
{
	ck_assert_str_eq(linktype_name(LINKTYPE_EN10MB), "EN10MB");
	ck_assert_str_eq(linktype_name(LINKTYPE_LINUX_SLL2), "LINUX_SLL2");
	ck_assert_str_eq(linktype_name(LINKTYPE_BSD_NULL), "NULL");
	ck_assert_str_eq(linktype_name(LINKTYPE_RAW_IP), "RAW");
	ck_assert_str_eq(linktype_name(LINKTYPE_RAW_OPENBSD), "RAW");
	ck_assert_ptr_null(linktype_name(60000));
	ck_assert_ptr_null(linktype_name(UINT32_MAX));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		pcap_of_either_byte_order_and_resolution,
		pcap_odd_times_and_lengths,
		pcap_larger_than_the_buffer,
		pcap_cut,
		pcap_variants,
		gzip,
		gzip_damaged,
		zstd,
		refusals,
		refusals_of_captures,
		pipes,
		linktype_names,
		NULL,
	};

	return run_tests("capture", tests);
}
