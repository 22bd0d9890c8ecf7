/*
 * One value of a fact: typed and three-valued.
 *
 * Absent knowledge is VALUE_UNKNOWN, never 0.  VALUE_ABSENT is knowledge: the
 * thing has no such field (a packet without a VLAN tag).  Numbers are intervals
 * [lo, hi]: a count under partial visibility is [n, VALUE_MAX].
 */
#ifndef PCAPDIAG_FACTS_VALUE_H
#define PCAPDIAG_FACTS_VALUE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum value_type {
	VALUE_TYPE_BOOL,
	VALUE_TYPE_NUMBER,   /* a plain count */
	VALUE_TYPE_DURATION, /* ns */
	VALUE_TYPE_TIME,     /* ns since the epoch, in the host's clock */
	VALUE_TYPE_ENUM,     /* of one enum_set */
	VALUE_TYPE_IP,
	VALUE_TYPE_MAC,
	VALUE_TYPE_TEXT,
	VALUE_TYPE_LABEL, /* compared for equality only */
};

enum value_state {
	VALUE_UNKNOWN,
	VALUE_ABSENT,
	VALUE_KNOWN,
};

#define VALUE_MAX INT64_MAX

/**
 * struct value - A value; which member counts is told by the field's type
 * @lo, @hi:	number, duration, time: the bounds; bool and enum: @lo alone
 * @ip:		IP; label: 16 bytes
 * @text:	borrowed, lives as long as the fact store
 */
struct value {
	enum value_state state;
	union {
		struct {
			int64_t lo, hi;
		};
		struct in6_addr ip;
		struct mac mac;
		const char *text;
	};
};

#endif
