#include "report/text_diagnosis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "report/names.h"

#define INDENT 2
#define COLUMN 12
#define FILTER_INDENT 2
/* A longer name has a line to itself. */
#define FILE_COLUMNS_MAX 24

/* More than that is for machines: the JSON report has all. */
#define SUBJECTS_MAX 8
#define EVIDENCE_MAX 12

/* The point within its file: "eth0", "eth0 inside VXLAN 100", "interface 4" */
static void put_interface(const struct incident_point *p, struct strbuf *out)
{
	if (p->side)
		strbuf_puts(out, strcmp(p->side, "guest-side") == 0
		                         ? "the guest's side"
		                         : "the far side");
	else if (p->name)
		strbuf_puts(out, p->name);
	else if (p->ifindex >= 0)
		strbuf_printf(out, "interface %" PRId64, p->ifindex);
	else if (!p->tunnel)
		strbuf_printf(out, "interface %" PRIu32, p->interface);
	if (p->tunnel)
		strbuf_printf(out, "%sinside %s",
		              p->name || p->ifindex >= 0 ? " " : "", p->tunnel);
}

/* " (eth0)"; nothing where the file is enough */
static void put_point_name(const struct incident_capture *c,
                           const struct incident_point *p, struct strbuf *out)
{
	if (!p->name && !p->tunnel && c->n_points == 1)
		return;
	strbuf_puts(out, " (");
	put_interface(p, out);
	strbuf_puts(out, ")");
}

static void put_point(const struct incident *incident, const char *id,
                      struct strbuf *out)
{
	const struct incident_capture *c = NULL;
	const struct incident_point *p = point_find(incident, id, &c);

	if (!p) {
		strbuf_puts(out, id);
		return;
	}
	if (c->role == CAPTURE_ROLE_VM && p->kind == POINT_KIND_GUEST_NIC &&
	    c->n_points == 1 && incident->n_nics < 2) {
		strbuf_puts(out, "the guest's NIC");
		return;
	}
	strbuf_puts(out, capture_title(incident, c));
	put_point_name(c, p, out);
}

static void put_both(const struct incident *incident, const char *after,
                     const char *before, struct strbuf *out)
{
	const struct incident_capture *c = NULL, *same = NULL;
	const struct incident_point *p = point_find(incident, after, &c);
	const struct incident_point *q = point_find(incident, before, &same);

	if (!p || !q || c != same) {
		put_point(incident, after, out);
		strbuf_puts(out, " and ");
		put_point(incident, before, out);
		return;
	}
	put_interface(p, out);
	strbuf_puts(out, " and ");
	put_interface(q, out);
	strbuf_printf(out, " of %s", capture_title(incident, c));
}

static void put_limits(const struct incident *incident,
                       const struct diagnosis *d, const char *between,
                       const char *past, const char *nothing,
                       struct strbuf *out)
{
	const char *only = d->after ? d->after : d->before;

	if (d->after && d->before) {
		strbuf_puts(out, between);
		put_both(incident, d->after, d->before, out);
	} else if (only) {
		strbuf_puts(out, past);
		put_point(incident, only, out);
	} else {
		strbuf_puts(out, nothing);
	}
}

static void put_place(const struct incident *incident,
                      const struct diagnosis *d, struct strbuf *out)
{
	switch ((enum place)d->place) {
	case PLACE_GUEST:
		put_limits(incident, d, "inside the guest, between ",
		           "inside the guest, past ", "inside the guest", out);
		return;
	case PLACE_GUEST_HOST_PATH:
		put_limits(incident, d, "between ",
		           "between the guest and the host, past ",
		           "between the guest and the host", out);
		return;
	case PLACE_HOST:
		put_limits(incident, d, "on the host, between ",
		           "on the host, past ", "on the host", out);
		return;
	case PLACE_NAT:
		put_limits(incident, d, "in the host's NAT, between ",
		           "in the host's NAT, past ", "in the host's NAT",
		           out);
		return;
	case PLACE_BEYOND_HOST:
		put_limits(incident, d, "beyond the host, between ",
		           "beyond the host, past ", "beyond the host", out);
		return;
	case PLACE_CAPTURE:
		strbuf_puts(out, "in how the captures were taken");
		return;
	}
}

static void put_direction(int direction, struct strbuf *out)
{
	if (direction < 0)
		return;
	switch ((enum path_direction)direction) {
	case PATH_DIRECTION_FROM_GUEST:
		strbuf_puts(out, ", on the way out");
		return;
	case PATH_DIRECTION_TO_GUEST:
		strbuf_puts(out, ", on the way in");
		return;
	}
}

static void where(const struct wrap *w, const struct incident *incident,
                  const struct diagnosis *d)
{
	struct strbuf text = { 0 };

	if (d->place < 0)
		return;
	put_place(incident, d, &text);
	put_direction(d->direction, &text);
	wrap_field(w, INDENT, "Where", COLUMN, strbuf_text(&text));
	strbuf_free(&text);
}

static const struct incident_nic *nic_of(const struct incident *incident,
                                         const struct in6_addr *ip)
{
	for (size_t i = 0; i < incident->n_nics; i++)
		for (size_t j = 0; j < incident->nics[i].n_ips; j++)
			if (addr_equal(&incident->nics[i].ips[j], ip))
				return &incident->nics[i];
	return NULL;
}

static bool is_gateway(const struct incident *incident,
                       const struct in6_addr *ip)
{
	for (size_t i = 0; i < incident->n_nics; i++) {
		const struct incident_nic *nic = &incident->nics[i];

		for (size_t j = 0; j < nic->n_gateways; j++)
			if (addr_equal(&nic->gateways[j].ip, ip))
				return true;
	}
	return false;
}

static void put_end(const struct incident *incident, bool known,
                    const struct in6_addr *ip, struct strbuf *out)
{
	char text[ADDR_TEXT_MAX];
	const struct incident_nic *nic = known ? nic_of(incident, ip) : NULL;

	strbuf_puts(out, known ? addr_text(ip, text) : "peers");
	if (nic && nic->has_mac)
		strbuf_printf(out, " %s", mac_text(nic->mac, text));
	if (nic)
		strbuf_puts(out, " (guest)");
	else if (known && is_gateway(incident, ip))
		strbuf_puts(out, " (gateway)");
}

static void put_subject(const struct incident *incident,
                        const struct subject *s, struct strbuf *out)
{
	put_end(incident, s->has_src, &s->src, out);
	strbuf_puts(out, " -> ");
	put_end(incident, s->has_dst, &s->dst, out);
	if (s->has_port)
		strbuf_printf(out, " port %u/%s", s->port,
		              s->proto ? s->proto : "?");
	else if (s->proto && strcmp(s->proto, "arp") != 0)
		strbuf_printf(out, ", %s", s->proto);
	if (s->service_confidence != SERVICE_UNKNOWN)
		strbuf_printf(out, " (%s%s)",
		              s->service_confidence == SERVICE_BY_PORT
		                      ? "usually "
		                      : "",
		              s->service);
}

static void who(const struct wrap *w, const struct incident *incident,
                const struct diagnosis *d)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; i < d->n_subjects; i++) {
		if (i == SUBJECTS_MAX) {
			strbuf_printf(&text, "\nand %zu more",
			              d->n_subjects - i);
			break;
		}
		if (i > 0)
			strbuf_puts(&text, "\n");
		put_subject(incident, &d->subjects[i], &text);
	}
	if (d->n_subjects)
		wrap_field(w, INDENT, "Who", COLUMN, strbuf_text(&text));
	strbuf_free(&text);
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void put_present(const struct claim *claim, uint64_t total,
                        struct strbuf *out)
{
	strbuf_printf(out, "%" PRIu64 " ", claim->count);
	if (total && total < claim->count)
		strbuf_printf(out, "sightings of %" PRIu64 " ", total);
	strbuf_puts(out, claim->what ? claim->what : "frames");
	strbuf_puts(out, claim->n_frames ? ":" : "");
	for (size_t i = 0; i < claim->n_frames; i++)
		strbuf_printf(out, " #%" PRIu64, claim->frames[i]);
	if (claim->count > claim->n_frames)
		strbuf_puts(out, " ...");
}

static void put_absent(const struct incident *incident,
                       const struct claim *claim, const struct evidence *e,
                       struct strbuf *out)
{
	const char *what = claim->what ? claim->what : "frames";
	const struct claim *control;
	const char *seen;

	strbuf_puts(out, begins_with(what, "the ") ? "none of " : "no ");
	strbuf_puts(out, what);
	if (e->control >= 0) {
		control = &incident->claims[e->control];
		seen = control->what ? control->what : "others";
		strbuf_printf(
			out, ", though it has %" PRIu64 " %s%s", control->count,
			begins_with(seen, "traffic") ? "frames of " : "", seen);
	}
	if (e->twin < 0 && e->twin_reason)
		strbuf_printf(out, " (%s)", e->twin_reason);
}

static void put_claim_file(const struct incident *incident,
                           const struct claim *claim, struct strbuf *out)
{
	const struct incident_capture *c = &incident->captures[claim->capture];
	const struct incident_point *p = &c->points[claim->point];

	strbuf_puts(out, capture_title(incident, c));
	if (c->n_points > 1)
		put_point_name(c, p, out);
}

static size_t file_columns(const struct incident *incident,
                           const struct diagnosis *d)
{
	size_t most = 0;

	for (size_t i = 0; i < d->n_evidence; i++) {
		struct strbuf file = { 0 };

		put_claim_file(incident,
		               &incident->claims[d->evidence[i].claim], &file);
		if (file.len > most && file.len <= FILE_COLUMNS_MAX)
			most = file.len;
		strbuf_free(&file);
	}
	return most;
}

static void one_proof(const struct wrap *w, const struct incident *incident,
                      const struct evidence *e, const char *label,
                      unsigned int columns)
{
	const struct claim *claim = &incident->claims[e->claim];
	struct strbuf file = { 0 }, text = { 0 }, filter = { 0 };

	put_claim_file(incident, claim, &file);
	if (claim->count > 0)
		put_present(claim, e->total, &text);
	else
		put_absent(incident, claim, e, &text);
	claim_filter(claim, &filter);

	wrap_label(w, INDENT, label, COLUMN);
	if (file.len > FILE_COLUMNS_MAX) {
		wrap_prose(w, COLUMN, strbuf_text(&file));
		wrap_label(w, INDENT, "", COLUMN + columns);
	} else {
		wrap_padded(w, strbuf_text(&file), columns);
	}
	wrap_prose(w, COLUMN + columns, strbuf_text(&text));
	wrap_verbatim(w, COLUMN + FILTER_INDENT, strbuf_text(&filter));
	strbuf_free(&file);
	strbuf_free(&text);
	strbuf_free(&filter);
}

static void proof(const struct wrap *w, const struct incident *incident,
                  const struct diagnosis *d)
{
	unsigned int columns = (unsigned int)file_columns(incident, d) + 2;

	for (size_t i = 0; i < d->n_evidence; i++) {
		if (i == EVIDENCE_MAX) {
			wrap_label(w, INDENT, "", COLUMN);
			strbuf_printf(w->out,
			              "and %zu more, in the JSON report\n",
			              d->n_evidence - i);
			return;
		}
		one_proof(w, incident, &d->evidence[i], i ? "" : "Proof",
		          columns);
	}
}

static void explains(const struct wrap *w, const struct diagnosis *d)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; i < d->n_explains; i++)
		strbuf_printf(&text, "%s%s (%" PRIu64 ")", i ? ", " : "",
		              d->explains[i].rule, d->explains[i].count);
	if (!d->n_explains)
		strbuf_puts(&text, "nothing else that was seen");
	wrap_field(w, INDENT, "Explains", COLUMN, strbuf_text(&text));
	strbuf_free(&text);
}

/* "any" for all; the rest only for this platform, or while it is not known */
static bool fits_platform(const struct fix_steps *fix, const char *platform)
{
	return !platform || strcmp(fix->platform, "any") == 0 ||
	       strcmp(fix->platform, platform) == 0;
}

static void fix(const struct wrap *w, const struct incident *incident,
                const struct diagnosis *d)
{
	const char *label = "Fix";

	for (size_t i = 0; i < d->n_fix; i++) {
		const struct fix_steps *f = &d->fix[i];

		if (!fits_platform(f, incident->platform))
			continue;
		if (strcmp(f->platform, "any") != 0) {
			struct strbuf title = { 0 };

			strbuf_printf(&title,
			              "%s:", platform_title(f->platform));
			wrap_field(w, INDENT, label, COLUMN,
			           strbuf_text(&title));
			strbuf_free(&title);
			label = "";
		}
		for (const char *const *step = f->steps; *step; step++) {
			wrap_label(w, INDENT, label, COLUMN);
			strbuf_puts(w->out, "- ");
			wrap_prose(w, COLUMN + 2, *step);
			label = "";
		}
	}
}

static void because(const struct wrap *w, const struct diagnosis *d)
{
	for (size_t i = 0; i < d->n_because; i++)
		wrap_field(w, INDENT, i ? "" : "Because", COLUMN,
		           d->because[i]);
}

void text_diagnosis(const struct wrap *w, const struct report_input *in,
                    const struct diagnosis *d, bool with_statement)
{
	const struct incident *incident = in->incident;

	wrap_label(w, INDENT, d->rule, INDENT);
	strbuf_printf(w->out, "  %s, %s confidence\n",
	              severity_name(d->severity),
	              confidence_name(d->confidence));
	because(w, d);
	if (with_statement && d->statement)
		wrap_field(w, INDENT, "What", COLUMN, d->statement);
	where(w, incident, d);
	who(w, incident, d);
	proof(w, incident, d);
	if (d->cause)
		wrap_field(w, INDENT, "Cause", COLUMN, d->cause);
	if (d->class == RULE_CLASS_FAULT)
		explains(w, d);
	fix(w, incident, d);
}
