/*
 * Where the report goes: standard output, or a file that appears whole or not
 * at all.
 */
#ifndef PCAPDIAG_OUTPUT_H
#define PCAPDIAG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"

/**
 * output_write() - Write @n bytes to @path, or to standard output if it is NULL
 *
 * A regular file is written beside its place and then renamed; a device or pipe
 * is written as it is.
 *
 * Return: false with @err set; then no file was made or changed
 */
bool output_write(const char *path, const char *text, size_t n,
                  struct errmsg *err);

#endif
