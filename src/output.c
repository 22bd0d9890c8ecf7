#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"

static bool write_all(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, text, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return false;
		text += done;
		n -= (size_t)done;
	}
	return true;
}

static bool failed(const char *path, struct errmsg *err)
{
	return errmsg_set(err, "%s: %s", path, strerror(errno));
}

/* As a newly created file would have been, for mkstemp() makes it private. */
static mode_t usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

static bool write_as_it_is(const char *path, const char *text, size_t n,
                           struct errmsg *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return failed(path, err);
	ok = write_all(fd, text, n) || failed(path, err);
	if (close(fd) != 0 && ok)
		ok = failed(path, err);
	return ok;
}

static bool fill(int fd, const char *text, size_t n, mode_t mode)
{
	bool ok = write_all(fd, text, n) && fchmod(fd, mode) == 0 &&
	          fsync(fd) == 0;

	return close(fd) == 0 && ok;
}

static bool replace(const char *path, mode_t mode, const char *text, size_t n,
                    struct errmsg *err)
{
	char *temporary = text_format("%s.XXXXXX", path);
	int fd = mkstemp(temporary);
	bool ok = false;

	if (fd < 0) {
		(void)failed(path, err);
	} else if (!fill(fd, text, n, mode) || rename(temporary, path) != 0) {
		(void)failed(path, err);
		(void)unlink(temporary);
	} else {
		ok = true;
	}
	free(temporary);
	return ok;
}

static bool write_file(const char *path, const char *text, size_t n,
                       struct errmsg *err)
{
	struct stat st;
	char *target;
	bool ok;

	if (stat(path, &st) != 0)
		return replace(path, usual_mode(), text, n, err);
	if (!S_ISREG(st.st_mode))
		return write_as_it_is(path, text, n, err);

	/* A symbolic link stays one: what it points to is replaced. */
	target = realpath(path, NULL);
	if (!target)
		return failed(path, err);
	ok = replace(target, st.st_mode & 0777, text, n, err);
	free(target);
	return ok;
}

bool output_write(const char *path, const char *text, size_t n,
                  struct errmsg *err)
{
	if (path)
		return write_file(path, text, n, err);
	if (!write_all(STDOUT_FILENO, text, n))
		return failed("standard output", err);
	/* Some file systems tell only now that the disk is full. */
	if (close(STDOUT_FILENO) != 0)
		return failed("standard output", err);
	return true;
}
