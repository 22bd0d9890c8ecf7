/*
 * Bounded reader of captured bytes.  A read past the end gives zeros and marks
 * the cursor truncated, so a decoder reads a whole header, then asks once.
 * All integers are big-endian on the wire but for the *_le ones.
 */
#ifndef PCAPDIAG_BASE_CURSOR_H
#define PCAPDIAG_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *next; /* borrowed from the frame */
	size_t left;         /* bytes from @next to the end */
	bool truncated;      /* sticky */
};

static inline struct cursor cursor_of(const uint8_t *bytes, size_t n)
{
	return (struct cursor){ .next = bytes, .left = n };
}

/** cursor_take() - The next @n bytes, or NULL if there are not as many */
static inline const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->next;

	if (c->truncated || n > c->left) {
		c->truncated = true;
		return NULL;
	}
	c->next += n;
	c->left -= n;
	return p;
}

/** cursor_sub() - Cursor over the next @n bytes, which @c then skips */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	if (!p)
		return (struct cursor){ .truncated = true };
	return cursor_of(p, n);
}

/** cursor_limit() - Forget what lies beyond the next @n bytes (padding) */
static inline void cursor_limit(struct cursor *c, size_t n)
{
	if (n < c->left)
		c->left = n;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? p[0] : 0;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	if (!p)
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	                       (uint32_t)p[2] << 8 | p[3]
	         : 0;
}

static inline uint32_t cursor_le32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	return p ? (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	                       (uint32_t)p[1] << 8 | p[0]
	         : 0;
}

#endif
