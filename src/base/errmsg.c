#include "base/errmsg.h"

#include <stdarg.h>
#include <stdio.h>

_Bool errmsg_set(struct errmsg *err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return 0;
}
