#include "config.h"

#include "capture/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/strbuf.h"
#include "base/xalloc.h"

/* Fewer and larger calls of read() no longer help beyond this. */
#define WINDOW_SIZE ((size_t)256 * 1024)
#define PACKED_SIZE ((size_t)64 * 1024)
#define GZIP_WINDOW_BITS (15 + 16) /* zlib: the largest window, gzip only */

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
};

struct stream_source {
	int fd;
	off_t start; /* where the file begins: standard input may be advanced */
	uint64_t bytes;
	uint8_t *window;
	size_t window_size;
	bool ended;
	char error[160];

	enum compression compression;
	uint8_t *packed; /* compressed bytes, NULL for a plain file */
	size_t packed_next;
	size_t packed_end;
	bool inside; /* a compressed member or frame has begun */
	z_stream gzip;
#ifdef HAVE_ZSTD
	ZSTD_DStream *zstd;
#endif
};

/* Returns how many bytes were read; 0 at the end or after an error */
static size_t read_file(struct stream_source *src, uint8_t *to, size_t n)
{
	ssize_t got;

	do
		got = read(src->fd, to, n);
	while (got < 0 && errno == EINTR);
	if (got >= 0)
		return (size_t)got;
	(void)snprintf(src->error, sizeof(src->error), "cannot read: %s",
	               strerror(errno));
	return 0;
}

/* Returns false at the end of the file */
static bool refill_packed(struct stream_source *src)
{
	if (src->packed_next < src->packed_end)
		return true;
	src->packed_next = 0;
	src->packed_end = read_file(src, src->packed, PACKED_SIZE);
	return src->packed_end > 0;
}

static void set_damage(struct stream_source *src, const char *kind,
                       const char *detail)
{
	(void)snprintf(src->error, sizeof(src->error),
	               "the %s data is damaged (%s)", kind, detail);
}

static void set_early_end(struct stream_source *src, const char *kind)
{
	/* An error of read() has been said already. */
	if (src->error[0] == '\0')
		(void)snprintf(src->error, sizeof(src->error),
		               "the %s data ends early", kind);
}

/* A file may hold several members one after another; what follows the last
 * and is none is padding. */
static bool begin_gzip_member(struct stream_source *src)
{
	if (src->packed[src->packed_next] != 0x1f)
		return false;
	src->inside = true;
	return inflateReset(&src->gzip) == Z_OK;
}

static size_t read_gzip(struct stream_source *src, uint8_t *to, size_t n)
{
	z_stream *z = &src->gzip;

	z->next_out = to;
	z->avail_out = (uInt)n;
	while (z->avail_out == n) {
		int status;

		if (!refill_packed(src)) {
			if (src->inside)
				set_early_end(src, "gzip");
			break;
		}
		if (!src->inside && !begin_gzip_member(src))
			break;
		z->next_in = src->packed + src->packed_next;
		z->avail_in = (uInt)(src->packed_end - src->packed_next);
		status = inflate(z, Z_NO_FLUSH);
		src->packed_next = src->packed_end - z->avail_in;
		if (status == Z_STREAM_END) {
			src->inside = false;
		} else if (status != Z_OK) {
			set_damage(src, "gzip", z->msg ? z->msg : "unknown");
			break;
		}
	}
	return n - z->avail_out;
}

#ifdef HAVE_ZSTD
static size_t read_zstd(struct stream_source *src, uint8_t *to, size_t n)
{
	ZSTD_outBuffer out = { .dst = to, .size = n };

	while (out.pos == 0) {
		ZSTD_inBuffer in;
		size_t hint;

		/* What was decoded but did not fit needs no more input. */
		if (!refill_packed(src) && !src->inside)
			break;
		in = (ZSTD_inBuffer){ .src = src->packed,
			              .size = src->packed_end,
			              .pos = src->packed_next };
		hint = ZSTD_decompressStream(src->zstd, &out, &in);
		if (ZSTD_isError(hint)) {
			set_damage(src, "zstd", ZSTD_getErrorName(hint));
			break;
		}
		if (in.pos == src->packed_next && out.pos == 0) {
			set_early_end(src, "zstd");
			break;
		}
		src->packed_next = in.pos;
		src->inside = hint != 0;
	}
	return out.pos;
}
#endif

static size_t read_some(struct stream_source *src, uint8_t *to, size_t n)
{
	switch (src->compression) {
	case COMPRESSION_NONE:
		return read_file(src, to, n);
	case COMPRESSION_GZIP:
		return read_gzip(src, to, n);
	case COMPRESSION_ZSTD:
#ifdef HAVE_ZSTD
		return read_zstd(src, to, n);
#else
		break; /* refused by begin_zstd() */
#endif
	}
	return 0;
}

/* Room for @n bytes in one piece, those that are left at its beginning */
static void make_room(struct stream *s, size_t n)
{
	struct stream_source *src = s->source;

	if (s->left > 0 && s->next != src->window)
		memmove(src->window, s->next, s->left);
	if (n > src->window_size) {
		src->window_size = n + WINDOW_SIZE;
		src->window = xreallocarray(src->window, src->window_size, 1);
	}
	s->next = src->window;
}

const uint8_t *stream_fill(struct stream *s, size_t n)
{
	struct stream_source *src = s->source;

	make_room(s, n);
	while (s->left < n && !src->ended) {
		size_t got = read_some(src, src->window + s->left,
		                       src->window_size - s->left);

		src->ended = got == 0 || src->error[0] != '\0';
		s->left += got;
	}
	return n <= s->left ? s->next : NULL;
}

static bool begin_gzip(struct stream_source *src, struct errmsg *err)
{
	src->compression = COMPRESSION_GZIP;
	if (inflateInit2(&src->gzip, GZIP_WINDOW_BITS) == Z_OK)
		return true;
	return errmsg_set(err, "zlib cannot be used");
}

static bool begin_zstd(struct stream_source *src, struct errmsg *err)
{
	src->compression = COMPRESSION_ZSTD;
#ifdef HAVE_ZSTD
	src->zstd = ZSTD_createDStream();
	if (src->zstd)
		return true;
	return errmsg_set(err, "libzstd cannot be used");
#else
	return errmsg_set(err, "zstd compression is not supported by this "
	                       "build; decompress it with \"zstd -d\"");
#endif
}

/* Look at the first bytes, which stay in the window of a plain file */
static bool detect_compression(struct stream *s, struct errmsg *err)
{
	static const uint8_t gzip_magic[] = { 0x1f, 0x8b, 0x08 };
	static const uint8_t zstd_magic[] = { 0x28, 0xb5, 0x2f, 0xfd };
	struct stream_source *src = s->source;
	bool ok = true;

	(void)stream_peek(s, sizeof(zstd_magic));
	if (src->error[0])
		return errmsg_set(err, "%s", src->error);
	if (s->left == 0)
		return errmsg_set(err, "is empty");

	if (s->left >= sizeof(gzip_magic) &&
	    memcmp(s->next, gzip_magic, sizeof(gzip_magic)) == 0)
		ok = begin_gzip(src, err);
	else if (s->left >= sizeof(zstd_magic) &&
	         memcmp(s->next, zstd_magic, sizeof(zstd_magic)) == 0)
		ok = begin_zstd(src, err);
	if (!ok || src->compression == COMPRESSION_NONE)
		return ok;
	src->packed = xreallocarray(NULL, PACKED_SIZE, 1);
	stream_rewind(s);
	return true;
}

/* A file that no one else can open and that is gone when the program is */
static int open_unlinked(struct errmsg *err)
{
	const char *folder = secure_getenv("TMPDIR");
	char *name;
	int fd;

	if (!folder || folder[0] == '\0')
		folder = "/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd >= 0)
		return fd;

	/* Not every file system knows O_TMPFILE. */
	name = text_format("%s/pcapdiag-XXXXXX", folder);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(name);
	else
		errmsg_set(err, "cannot make a temporary file in %s: %s",
		           folder, strerror(errno));
	free(name);
	return fd;
}

static bool write_all(int fd, const uint8_t *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		bytes += written;
		n -= (size_t)written;
	}
	return true;
}

/* Copy what can be read only once; then @src has the copy */
static bool spool(struct stream_source *src, struct errmsg *err)
{
	int copy = open_unlinked(err);
	size_t n;

	if (copy < 0)
		return false;
	while ((n = read_file(src, src->window, src->window_size)) > 0) {
		if (!write_all(copy, src->window, n)) {
			errmsg_set(err, "cannot write a temporary file: %s",
			           strerror(errno));
			(void)close(copy);
			return false;
		}
	}
	(void)close(src->fd);
	src->fd = copy;
	if (src->error[0])
		return errmsg_set(err, "%s", src->error);
	(void)lseek(copy, 0, SEEK_SET);
	return true;
}

static bool open_file(struct stream_source *src, const char *path,
                      struct errmsg *err)
{
	struct stat st;

	if (strcmp(path, "-") == 0)
		src->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		src->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (src->fd < 0 || fstat(src->fd, &st) != 0)
		return errmsg_set(err, "%s", strerror(errno));
	if (S_ISDIR(st.st_mode))
		return errmsg_set(err, "is a directory, not a capture file");
	if (!S_ISREG(st.st_mode) && !spool(src, err))
		return false;

	src->start = lseek(src->fd, 0, SEEK_CUR);
	if (src->start < 0 || fstat(src->fd, &st) != 0)
		return errmsg_set(err, "%s", strerror(errno));
	if (st.st_size > src->start)
		src->bytes = (uint64_t)(st.st_size - src->start);
	return true;
}

struct stream *stream_open(const char *path, struct errmsg *err)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	struct stream_source *src = xcalloc(1, sizeof(*src));

	s->source = src;
	src->fd = -1;
	src->window_size = WINDOW_SIZE;
	src->window = xreallocarray(NULL, src->window_size, 1);
	s->next = src->window;

	if (open_file(src, path, err) && detect_compression(s, err))
		return s;
	stream_close(s);
	return NULL;
}

void stream_close(struct stream *s)
{
	struct stream_source *src;

	if (!s)
		return;
	src = s->source;
	if (src->fd >= 0)
		(void)close(src->fd);
	if (src->compression == COMPRESSION_GZIP)
		(void)inflateEnd(&src->gzip);
#ifdef HAVE_ZSTD
	(void)ZSTD_freeDStream(src->zstd);
#endif
	free(src->packed);
	free(src->window);
	free(src);
	free(s);
}

void stream_rewind(struct stream *s)
{
	struct stream_source *src = s->source;

	s->next = src->window;
	s->left = 0;
	src->ended = false;
	src->error[0] = '\0';
	src->packed_next = 0;
	src->packed_end = 0;
	src->inside = false;
#ifdef HAVE_ZSTD
	if (src->zstd)
		(void)ZSTD_DCtx_reset(src->zstd, ZSTD_reset_session_only);
#endif
	if (lseek(src->fd, src->start, SEEK_SET) != src->start) {
		src->ended = true;
		(void)snprintf(src->error, sizeof(src->error),
		               "cannot be read again: %s", strerror(errno));
	}
}

const char *stream_error(const struct stream *s)
{
	return s->source->error[0] ? s->source->error : NULL;
}

uint64_t stream_bytes(const struct stream *s)
{
	return s->source->bytes;
}

const char *stream_compression(const struct stream *s)
{
	switch (s->source->compression) {
	case COMPRESSION_NONE:
		break;
	case COMPRESSION_GZIP:
		return "gzip";
	case COMPRESSION_ZSTD:
		return "zstd";
	}
	return NULL;
}
