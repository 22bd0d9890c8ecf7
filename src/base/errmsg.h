/*
 * One message for a user's mistake or an unreadable input: what, where and what
 * to do.  A function that can fail takes a struct errmsg, fills it once and
 * returns false or NULL; main() prints it as "pcapdiag: TEXT".
 */
#ifndef PCAPDIAG_BASE_ERRMSG_H
#define PCAPDIAG_BASE_ERRMSG_H

#define ERRMSG_MAX 1024

struct errmsg {
	/* "" while there is none; may have several lines */
	char text[ERRMSG_MAX];
};

/** errmsg_set() - Set the text as printf() would; always returns false */
_Bool errmsg_set(struct errmsg *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
