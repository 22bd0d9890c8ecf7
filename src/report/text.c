#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "report/names.h"
#include "report/report.h"
#include "report/text_diagnosis.h"
#include "report/wrap.h"

#define COLUMN 11

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

static const char *verdict_word(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return "HEALTHY";
	case VERDICT_FAULT:
		return "FAULT";
	case VERDICT_INCONCLUSIVE:
		break;
	}
	return "INCONCLUSIVE";
}

static const char *verdict_sgr(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_HEALTHY:
		return "1;32";
	case VERDICT_FAULT:
		return "1;31";
	case VERDICT_INCONCLUSIVE:
		break;
	}
	return "1;33";
}

/* The summary without the verdict that it may open with: "Healthy: …" */
static const char *summary_of(const struct judgement *j)
{
	const char *word = verdict_name(j->verdict);
	const char *summary = j->summary ? j->summary : "";
	size_t n = strlen(word);

	if (strncasecmp(summary, word, n) == 0 && summary[n] == ':')
		return summary + n + 1 + strspn(summary + n + 1, " ");
	return summary;
}

static void head(const struct wrap *w, const struct judgement *j)
{
	const char *word = verdict_word(j->verdict);

	wrap_colored(w, verdict_sgr(j->verdict), word);
	strbuf_puts(w->out, "  ");
	wrap_prose(w, (unsigned int)strlen(word) + 2, summary_of(j));
}

static bool says_all(const struct judgement *j, const struct diagnosis *d)
{
	return j->summary && d->statement &&
	       strcmp(j->summary, d->statement) == 0;
}

static void block(const struct wrap *w, const struct report_input *in,
                  const struct diagnosis *d)
{
	strbuf_puts(w->out, "\n");
	text_diagnosis(w, in, d, !says_all(in->judgement, d));
}

/* A gate is the finding where it decides; elsewhere it is one of the notes. */
static bool decides(const struct judgement *j, const struct diagnosis *note)
{
	return j->verdict == VERDICT_INCONCLUSIVE &&
	       note->class == RULE_CLASS_GATE;
}

/* What the user asked about, or the rest */
static void blocks(const struct wrap *w, const struct report_input *in,
                   bool asked, bool headed)
{
	const struct judgement *j = in->judgement;
	size_t n = 0;

	for (size_t i = 0; i < j->n_diagnoses; i++) {
		if (j->diagnoses[i].asked != asked)
			continue;
		if (n++ == 0 && headed)
			strbuf_puts(w->out, "\nAlso seen\n");
		block(w, in, &j->diagnoses[i]);
	}
}

static void findings(const struct wrap *w, const struct report_input *in)
{
	const struct judgement *j = in->judgement;

	blocks(w, in, true, false);
	blocks(w, in, false, j->n_about > 0);
	for (size_t i = 0; i < j->n_notes; i++)
		if (decides(j, &j->notes[i]))
			block(w, in, &j->notes[i]);
}

static void about(const struct wrap *w, const struct judgement *j)
{
	for (size_t i = 0; i < j->n_about; i++) {
		struct strbuf text = { 0 };

		strbuf_printf(&text, "%s: %s", j->about[i].asked,
		              j->about[i].answer);
		wrap_colored(w, "1", "ABOUT");
		strbuf_puts(w->out, "  ");
		wrap_prose(w, 7, strbuf_text(&text));
		strbuf_free(&text);
	}
}

static void field(const struct wrap *w, const char *label, struct strbuf *text)
{
	if (text->len)
		wrap_field(w, 0, label, COLUMN, strbuf_text(text));
	strbuf_free(text);
}

static void put_gateway(const struct incident_gateway *g, struct strbuf *out)
{
	char text[ADDR_TEXT_MAX];

	strbuf_printf(out, "; gateway %s %s", addr_text(&g->ip, text),
	              g->answers ? "answers" : "does not answer");
}

static void put_nic(const struct incident_nic *nic, struct strbuf *out)
{
	char text[ADDR_TEXT_MAX];

	strbuf_puts(out, nic->mode == NETWORK_MODE_UNKNOWN
	                         ? "mode unknown"
	                         : enum_set_mode.words[nic->mode]);
	strbuf_puts(out, "; guest");
	if (nic->has_mac)
		strbuf_printf(out, " %s", mac_text(nic->mac, text));
	for (size_t i = 0; i < nic->n_ips; i++)
		strbuf_printf(out, " %s", addr_text(&nic->ips[i], text));
	for (size_t i = 0; i < nic->n_vlans; i++)
		strbuf_printf(out, "%s %u", i ? "," : "; VLAN", nic->vlans[i]);
	for (size_t i = 0; i < nic->n_gateways; i++)
		put_gateway(&nic->gateways[i], out);
}

static void network(const struct wrap *w, const struct incident *incident)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; i < incident->n_nics; i++) {
		if (i > 0)
			strbuf_puts(&text, "\n");
		put_nic(&incident->nics[i], &text);
	}
	if (text.len && incident->platform)
		strbuf_printf(&text, "; %s",
		              platform_title(incident->platform));
	field(w, "Network", &text);
}

static void checked(const struct wrap *w, const struct report_input *in)
{
	const char *summary = summary_of(in->judgement);
	const struct incident *incident = in->incident;
	struct strbuf text = { 0 };

	for (size_t i = 0; i < incident->n_checked; i++) {
		const struct incident_checked *c = &incident->checked[i];

		if (c->tried == 0 && c->undecided == 0)
			continue;
		strbuf_printf(&text, "%s%" PRIu64 " of %" PRIu64 " %s",
		              text.len ? ", " : "", c->worked, c->tried,
		              c->what);
		if (c->undecided)
			strbuf_printf(&text, " (%" PRIu64 " undecided)",
			              c->undecided);
	}
	if (text.len)
		strbuf_puts(&text, " worked");
	/* Where all is well, that is what the head line says. */
	if (text.len && strncmp(summary, strbuf_text(&text), text.len) == 0)
		strbuf_free(&text);
	field(w, "Checked", &text);
}

static uint64_t magnitude(int64_t n)
{
	return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

/* @ns in units of @unit_ns with one digit after the point, rounded */
static void put_tenths(uint64_t ns, uint64_t unit_ns, struct strbuf *out)
{
	uint64_t tenth = unit_ns / 10;
	uint64_t tenths = ns / tenth + (ns % tenth >= tenth / 2);

	strbuf_printf(out, "%" PRIu64 ".%u", tenths / 10,
	              (unsigned int)(tenths % 10));
}

static void put_error(uint64_t ns, struct strbuf *out)
{
	bool is_small = ns < NS_PER_MS / 10;

	strbuf_puts(out, "(+-");
	if (is_small)
		strbuf_printf(out, "%" PRIu64 " us",
		              (ns + NS_PER_US - 1) / NS_PER_US);
	else
		put_tenths(ns, NS_PER_MS, out);
	strbuf_puts(out, is_small ? "" : " ms");
}

static void put_capture(const struct incident *incident,
                        const struct incident_capture *c, struct strbuf *out)
{
	strbuf_printf(out, "%s %" PRIu64 " frames", capture_title(incident, c),
	              c->packets);
	if (c->has_time) {
		strbuf_puts(out, " in ");
		put_tenths(magnitude(c->last_ns - c->first_ns), NS_PER_S, out);
		strbuf_puts(out, " s");
	}
	if (c->cut_text || c->cut_at_frame)
		strbuf_printf(out, ", cut off after frame %" PRIu64 "%s%s",
		              c->cut_at_frame, c->cut_text ? ": " : "",
		              c->cut_text ? c->cut_text : "");
}

static void put_clock(const struct incident_clock *clock, struct strbuf *out)
{
	uint64_t ms = (magnitude(clock->offset_ns) + NS_PER_MS / 2) / NS_PER_MS;

	if (!clock->known) {
		strbuf_puts(out, "; the clocks could not be compared");
		return;
	}
	strbuf_printf(out, "; guest clock %" PRIu64 ".%03u s %s ", ms / 1000,
	              (unsigned int)(ms % 1000),
	              clock->offset_ns < 0 ? "behind" : "ahead");
	put_error(magnitude(clock->error_ns), out);
	strbuf_printf(out, ", %" PRIu64 " pairs%s)", clock->pairs,
	              clock->one_sided ? " of one direction only" : "");
	if (clock->steps > 0)
		strbuf_puts(out, " at first; a clock was set, see Limits");
}

static void captures(const struct wrap *w, const struct incident *incident)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; i < incident->n_captures; i++) {
		strbuf_puts(&text, i ? ", " : "");
		put_capture(incident, &incident->captures[i], &text);
	}
	if (incident->n_captures > 1)
		put_clock(&incident->clock, &text);
	field(w, "Captures", &text);
}

static void notes(const struct wrap *w, const struct judgement *j)
{
	for (size_t i = 0; i < j->n_notes; i++) {
		const struct diagnosis *d = &j->notes[i];
		struct strbuf text = { 0 };

		if (decides(j, d))
			continue;
		strbuf_printf(&text, "%s: %s", d->rule,
		              d->statement ? d->statement : d->title);
		field(w, "Note", &text);
	}
}

static void unexplained(const struct wrap *w, const struct judgement *j)
{
	for (size_t i = 0; i < j->n_unexplained; i++) {
		struct strbuf text = { 0 };

		if (j->unexplained[i].proto && !j->unexplained[i].has_port)
			strbuf_printf(&text, "%s ", j->unexplained[i].proto);
		subject_text(&j->unexplained[i], &text);
		strbuf_puts(&text, " failed, and nothing here tells why");
		field(w, i ? "" : "Open", &text);
	}
}

static void limits(const struct wrap *w, const struct judgement *j)
{
	for (size_t i = 0; i < j->n_limits; i++)
		wrap_field(w, 0, i ? "" : "Limits", COLUMN, j->limits[i]);
}

static void next_captures(const struct wrap *w, const struct judgement *j)
{
	if (j->n_next)
		strbuf_puts(w->out, "\n");
	for (size_t i = 0; i < j->n_next; i++) {
		const struct next_capture *next = &j->next[i];
		struct strbuf text = { 0 };

		strbuf_printf(&text, "%s: %s", next->point, next->settles);
		field(w, i ? "" : "Next", &text);
		wrap_verbatim(w, COLUMN + 2, next->command);
	}
}

void report_text(const struct report_input *in, struct strbuf *out)
{
	const struct wrap w = {
		.out = out,
		.width = in->width,
		.color = in->color,
	};

	about(&w, in->judgement);
	head(&w, in->judgement);
	findings(&w, in);
	strbuf_puts(out, "\n");
	network(&w, in->incident);
	checked(&w, in);
	captures(&w, in->incident);
	unexplained(&w, in->judgement);
	notes(&w, in->judgement);
	limits(&w, in->judgement);
	next_captures(&w, in->judgement);
}
