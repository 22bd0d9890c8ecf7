/*
 * Prints how many frames each file has by our reader, for frames.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include "capture/capture.h"

static void count(const char *path)
{
	struct errmsg err;
	struct frame frame;
	enum capture_result result;
	struct capture *c = capture_open(path, &err);

	if (!c) {
		printf("%s refused: %s\n", path, err.text);
		return;
	}
	do
		result = capture_next(c, &frame);
	while (result == CAPTURE_FRAME);
	printf("%s %llu %s\n", path, (unsigned long long)frame.number,
	       result == CAPTURE_CUT ? "cut" : "end");
	capture_close(c);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		count(argv[i]);
	return EXIT_SUCCESS;
}
