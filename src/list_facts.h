/*
 * The vocabulary for people who write rules.
 */
#ifndef PCAPDIAG_LIST_FACTS_H
#define PCAPDIAG_LIST_FACTS_H

#include "base/strbuf.h"

/** list_facts() - Append every kind of fact with its fields, types, meanings */
void list_facts(struct strbuf *out);

#endif
