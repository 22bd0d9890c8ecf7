#include "list_facts.h"

#include "facts/vocabulary.h"

static const char *type_name(const struct field_info *info)
{
	switch (info->type) {
	case VALUE_TYPE_BOOL:
		return "yes/no";
	case VALUE_TYPE_NUMBER:
		return "number";
	case VALUE_TYPE_DURATION:
		return "duration";
	case VALUE_TYPE_TIME:
		return "time";
	case VALUE_TYPE_ENUM:
		return info->words->name;
	case VALUE_TYPE_IP:
		return "address";
	case VALUE_TYPE_MAC:
		return "MAC";
	case VALUE_TYPE_TEXT:
		return "text";
	case VALUE_TYPE_LABEL:
		return "label";
	}
	return "";
}

static void list_field(const struct field_info *info, struct strbuf *out)
{
	strbuf_printf(out, "  %-24s %-10s %s\n", info->name, type_name(info),
	              info->meaning);
}

/* Fields that all exchanges have are listed once, under "exchange". */
static void list_kind(enum fact_kind kind, struct strbuf *out)
{
	unsigned int bit = kind == FACT_KIND_EXCHANGE ? FACT_KINDS_EXCHANGE
	                                              : FACT_KIND_BIT(kind);

	strbuf_printf(out, "%s\n", fact_kind_name(kind));
	for (int i = 0; i < FIELD_COUNT; i++) {
		const struct field_info *info = field_info((enum field)i);
		bool is_general = (info->kinds & FACT_KINDS_EXCHANGE) ==
		                  FACT_KINDS_EXCHANGE;

		if (info->type == VALUE_TYPE_LABEL ||
		    (info->kinds & bit) != bit)
			continue;
		if (kind == FACT_KIND_EXCHANGE || !is_general ||
		    !(bit & FACT_KINDS_EXCHANGE))
			list_field(info, out);
	}
	strbuf_puts(out, "\n");
}

static void list_labels(struct strbuf *out)
{
	strbuf_puts(out, "labels\n");
	for (int i = 0; i < FIELD_COUNT; i++)
		if (field_info((enum field)i)->type == VALUE_TYPE_LABEL)
			list_field(field_info((enum field)i), out);
	strbuf_puts(out, "\n");
}

static void list_words(struct strbuf *out)
{
	static const struct enum_set *const sets[] = {
		&enum_set_place,    &enum_set_direction, &enum_set_leg,
		&enum_set_outcome,  &enum_set_mode,      &enum_set_party,
		&enum_set_protocol, &enum_set_role,      &enum_set_refusal,
	};

	strbuf_puts(out, "words\n");
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		strbuf_printf(out, "  %-24s", sets[i]->name);
		for (const char *const *w = sets[i]->words; *w; w++)
			strbuf_printf(out, " %s", *w);
		strbuf_puts(out, "\n");
	}
}

void list_facts(struct strbuf *out)
{
	list_kind(FACT_KIND_EXCHANGE, out);
	for (int kind = 0; kind < FACT_KIND_COUNT; kind++)
		list_kind((enum fact_kind)kind, out);
	list_labels(out);
	list_words(out);
}
