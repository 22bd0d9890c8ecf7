#include "config.h"

#include "capture/pcapng_interface.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"

#define NS_PER_S 1000000000
#define TS_LIMIT_NS (INT64_C(1) << 62)
#define DROPS_MAX (UINT64_C(1) << 48) /* beyond it: no count, but noise */
#define TSRESOL_MICROSECONDS 6

#define SWITCH_PORT "vNIC:"

enum {
	OPTION_END = 0,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_FILTER = 11,
	OPTION_IF_TSOFFSET = 14,
	OPTION_ISB_IFDROP = 5,
	OPTION_ISB_OSDROP = 7,
};

bool pcapng_next_option(struct cursor *options, bool big_endian,
                        struct pcapng_option *option)
{
	size_t n;

	if (options->left == 0)
		return false;
	option->code = pcapng_u16(options, big_endian);
	n = pcapng_u16(options, big_endian);
	option->value = cursor_sub(options, n);
	(void)cursor_take(options, pcapng_padding(n));
	return !options->truncated && option->code != OPTION_END;
}

void pcapng_set_text(char **text, const struct cursor *value)
{
	const char *bytes = (const char *)value->next;
	struct strbuf copy = { 0 };

	/* It should not hold a NUL; some writers end it with one. */
	strbuf_add(&copy, bytes, strnlen(bytes, value->left));
	free(*text);
	*text = strbuf_steal(&copy);
}

/* Resolution of time stamps: 10^-n or, with the top bit, 2^-n seconds */
static void set_resolution(struct pcapng_interface *i, uint8_t value)
{
	unsigned int exponent = value & 0x7f;
	uint64_t base = value & 0x80 ? 2 : 10;

	i->ns_per_unit = 0;
	i->units_per_s = 0;
	if (exponent > (base == 2 ? 63 : 19))
		return;
	i->units_per_s = 1;
	while (exponent-- > 0)
		i->units_per_s *= base;
	if (NS_PER_S % i->units_per_s == 0)
		i->ns_per_unit = (uint32_t)(NS_PER_S / i->units_per_s);
}

static void read_option(struct pcapng_interface *i,
                        struct pcapng_option *option, bool big_endian)
{
	size_t n = option->value.left;

	switch (option->code) {
	case OPTION_IF_NAME:
		pcapng_set_text(&i->public.name, &option->value);
		break;
	case OPTION_IF_TSRESOL:
		if (n == 1)
			set_resolution(i, cursor_u8(&option->value));
		break;
	case OPTION_IF_FILTER:
		/* The first byte tells text from compiled code. */
		if (n > 0 && cursor_u8(&option->value) == 0)
			pcapng_set_text(&i->public.filter, &option->value);
		break;
	case OPTION_IF_TSOFFSET:
		if (n == 8)
			i->offset_s =
				(int64_t)pcapng_u64(&option->value, big_endian);
		break;
	default: /* nothing that a diagnosis needs */
		break;
	}
}

struct pcapng_interface *pcapng_interface_new(struct cursor body,
                                              bool big_endian)
{
	struct pcapng_interface *i = xcalloc(1, sizeof(*i));
	struct pcapng_option option;

	set_resolution(i, TSRESOL_MICROSECONDS);
	i->public.drops = -1;
	i->public.linktype = pcapng_u16(&body, big_endian);
	i->public.supported = linktype_supported(i->public.linktype);
	(void)pcapng_u16(&body, big_endian); /* reserved */
	i->public.snaplen = pcapng_u32(&body, big_endian);
	while (pcapng_next_option(&body, big_endian, &option))
		read_option(i, &option, big_endian);
	i->public.by_source =
		i->public.name &&
		strncmp(i->public.name, SWITCH_PORT, strlen(SWITCH_PORT)) == 0;
	if (!body.truncated)
		return i;
	pcapng_interface_free(i);
	return NULL;
}

void pcapng_interface_free(struct pcapng_interface *i)
{
	if (!i)
		return;
	free(i->public.name);
	free(i->public.filter);
	free(i);
}

int64_t pcapng_interface_time(const struct pcapng_interface *i, uint64_t units)
{
	__int128 ns;

	if (i->units_per_s == 0)
		return 0;
	/* The division is slow and the multiplication is the common case. */
	if (i->ns_per_unit)
		ns = (__int128)units * i->ns_per_unit;
	else
		ns = (__int128)units * NS_PER_S / (__int128)i->units_per_s;
	ns += (__int128)i->offset_s * NS_PER_S;
	return ns >= 0 && ns < TS_LIMIT_NS ? (int64_t)ns : 0;
}

void pcapng_interface_add_dropped(struct pcapng_interface *i, uint64_t n)
{
	if (n > DROPS_MAX || i->dropped > DROPS_MAX)
		return;
	i->dropped += n;
	/* Statistics know better; and a second pass counts the same again. */
	if (!i->has_statistics && (int64_t)i->dropped > i->public.drops)
		i->public.drops = (int64_t)i->dropped;
}

bool pcapng_interface_read_statistics(struct pcapng_interface *i,
                                      struct cursor body, bool big_endian)
{
	struct pcapng_option option;
	uint64_t drops = 0;
	bool said = false;

	(void)pcapng_u64(&body, big_endian); /* time stamp */
	while (pcapng_next_option(&body, big_endian, &option)) {
		uint64_t n;

		if (option.code != OPTION_ISB_IFDROP &&
		    option.code != OPTION_ISB_OSDROP)
			continue;
		n = pcapng_u64(&option.value, big_endian);
		if (option.value.truncated || n > DROPS_MAX)
			continue;
		drops += n;
		said = true;
	}
	if (i && said && !body.truncated) {
		i->public.drops = (int64_t)drops;
		i->has_statistics = true;
	}
	return !body.truncated;
}
