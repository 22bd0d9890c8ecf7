/*
 * Texts of rules with {fields}.
 *
 * {NAME} in small letters is a field of the fact, or one of the names that are
 * taken from the incident ({host.file}, {vm.first} …), or {server.endpoint}:
 * address, port and protocol as far as the protocol has them.  All other braces
 * stand for themselves.  Where a text speaks of several facts, counts are added
 * up and other values listed.
 */
#ifndef PCAPDIAG_RULES_TEMPLATE_H
#define PCAPDIAG_RULES_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "base/strbuf.h"
#include "facts/incident.h"

/** template_check() - Are all names known for facts of @kinds?  false with @err
 * set if not */
bool template_check(const char *text, unsigned int kinds, struct errmsg *err);

/**
 * template_fill() - @text with its fields filled in
 * @facts:	at least one
 *
 * Return: a new text, owned by the caller
 */
char *template_fill(const char *text, const struct incident *incident,
                    const struct fact *const *facts, size_t n);

/** template_put_value() - Append the value of @field as texts show it; "(none)",
 * "(unknown)" */
void template_put_value(enum field field, const struct fact *fact,
                        struct strbuf *out);

#endif
