/*
 * The bytes of a capture file, uncompressed, front to back and again.  Plain
 * files, gzip (RFC 1952) and zstd (RFC 8878) are told apart by content.  What
 * cannot be read twice (a pipe, a terminal) is first copied to a temporary file
 * that has no name.
 */
#ifndef PCAPDIAG_CAPTURE_STREAM_H
#define PCAPDIAG_CAPTURE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"

/**
 * struct stream - An open file and a window on its bytes
 * @next:	first byte that was not skipped yet
 * @left:	bytes at @next that are in memory
 * @source:	file and decompressor
 */
struct stream {
	const uint8_t *next;
	size_t left;
	struct stream_source *source;
};

/**
 * stream_open() - Open @path, or standard input if it is "-"
 * @err:	set on failure, without the name of the file
 *
 * Return: the stream, freed by stream_close(), or NULL
 */
struct stream *stream_open(const char *path, struct errmsg *err);

void stream_close(struct stream *s);

/** stream_fill() - The slow half of stream_peek() */
const uint8_t *stream_fill(struct stream *s, size_t n);

/**
 * stream_peek() - The next @n bytes, without skipping them
 *
 * Return: bytes that are valid until the next peek or rewind; NULL if there are
 * not as many: then @left is what there is, and stream_error() may know why
 */
static inline const uint8_t *stream_peek(struct stream *s, size_t n)
{
	return n <= s->left ? s->next : stream_fill(s, n);
}

/** stream_skip() - Go on by @n bytes, which were peeked at */
static inline void stream_skip(struct stream *s, size_t n)
{
	s->next += n;
	s->left -= n;
}

/** stream_rewind() - Begin again at the first byte */
void stream_rewind(struct stream *s);

/** stream_error() - Why the bytes ended early, or NULL: they just ended */
const char *stream_error(const struct stream *s);

/** stream_bytes() - Size as it lies on disk */
uint64_t stream_bytes(const struct stream *s);

/** stream_compression() - "gzip", "zstd" or NULL */
const char *stream_compression(const struct stream *s);

#endif
