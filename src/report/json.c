#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/names.h"
#include "report/report.h"

/*
 * Each of these makes one JSON value.  Names that are not UTF-8 cannot be JSON
 * strings: they are escaped, all else stays as it is.
 */
static json_t *text(const char *s)
{
	struct strbuf escaped = { 0 };
	json_t *value;

	if (!s)
		return json_null();
	value = json_string(s);
	if (value)
		return value;
	strbuf_put_escaped(&escaped, s, strlen(s));
	value = json_string(strbuf_text(&escaped));
	strbuf_free(&escaped);
	return value;
}

static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *number_or_null(bool known, int64_t n)
{
	return known ? json_integer(n) : json_null();
}

static json_t *address(const struct in6_addr *ip)
{
	char buffer[ADDR_TEXT_MAX];

	return json_string(addr_text(ip, buffer));
}

static json_t *address_or_null(bool known, const struct in6_addr *ip)
{
	return known ? address(ip) : json_null();
}

static json_t *mac_or_null(bool known, struct mac mac)
{
	char buffer[ADDR_TEXT_MAX];

	return known ? json_string(mac_text(mac, buffer)) : json_null();
}

static json_t *word(const struct enum_set *set, int i)
{
	return i < 0 ? json_null() : json_string(set->words[i]);
}

static json_t *linktype(uint32_t type)
{
	struct strbuf title = { 0 };
	json_t *value;

	linktype_title(type, &title);
	value = json_string(strbuf_text(&title));
	strbuf_free(&title);
	return value;
}

static void set(json_t *object, const char *key, json_t *value)
{
	/* Fails only for want of memory. */
	if (json_object_set_new(object, key, value) != 0)
		abort();
}

static void append(json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) != 0)
		abort();
}

static json_t *point(const struct incident_point *p)
{
	json_t *o = json_object();

	set(o, "id", text(p->id));
	set(o, "name", text(p->name));
	set(o, "kind", text(point_kind_name(p->kind)));
	set(o, "linktype", linktype(p->linktype));
	set(o, "packets", number(p->packets));
	return o;
}

static json_t *capture(const struct incident_capture *c)
{
	json_t *o = json_object();
	json_t *points = json_array();
	bool is_cut = c->cut_at_frame != 0 || c->cut_text;

	set(o, "role", word(&enum_set_role, (int)c->role));
	set(o, "file", text(c->file));
	set(o, "bytes", number(c->bytes));
	set(o, "sha256", json_null());
	set(o, "format", text(c->format));
	set(o, "compression", text(c->compression));
	set(o, "packets", number(c->packets));
	set(o, "first_ns", number_or_null(c->has_time, c->first_ns));
	set(o, "last_ns", number_or_null(c->has_time, c->last_ns));
	set(o, "snaplen", number_or_null(c->snaplen != 0, c->snaplen));
	set(o, "cut_at_frame", is_cut ? number(c->cut_at_frame) : json_null());
	for (size_t i = 0; i < c->n_points; i++)
		append(points, point(&c->points[i]));
	set(o, "points", points);
	return o;
}

static json_t *clock_of(const struct incident_clock *c)
{
	json_t *o = json_object();

	set(o, "offset_ns", number_or_null(c->known, c->offset_ns));
	set(o, "error_ns", number_or_null(c->known, c->error_ns));
	set(o, "drift_ppb", number_or_null(c->drift_known, c->drift_ppb));
	set(o, "pairs", number(c->pairs));
	set(o, "steps", number(c->steps));
	return o;
}

static json_t *gateway(const struct incident_gateway *g)
{
	json_t *o = json_object();

	set(o, "ip", address(&g->ip));
	set(o, "mac", mac_or_null(g->has_mac, g->mac));
	return o;
}

static json_t *nic(const struct incident_nic *n)
{
	json_t *o = json_object();
	json_t *ips = json_array();
	json_t *vlans = json_array();
	json_t *gateways = json_array();

	for (size_t i = 0; i < n->n_ips; i++)
		append(ips, address(&n->ips[i]));
	for (size_t i = 0; i < n->n_vlans; i++)
		append(vlans, number(n->vlans[i]));
	for (size_t i = 0; i < n->n_gateways; i++)
		append(gateways, gateway(&n->gateways[i]));
	set(o, "mac", mac_or_null(n->has_mac, n->mac));
	set(o, "ips", ips);
	set(o, "vlans", vlans);
	set(o, "mode", word(&enum_set_mode, (int)n->mode));
	set(o, "gateways", gateways);
	return o;
}

static json_t *guest(const struct incident *incident)
{
	json_t *o = json_object();
	json_t *nics = json_array();

	for (size_t i = 0; i < incident->n_nics; i++)
		append(nics, nic(&incident->nics[i]));
	set(o, "nics", nics);
	set(o, "platform", text(incident->platform));
	return o;
}

static json_t *match_of(const struct incident_match *m)
{
	json_t *o = json_object();

	set(o, "both", number(m->both));
	set(o, "lost", number(m->lost));
	set(o, "ambiguous", number(m->ambiguous));
	return o;
}

static json_t *match(const struct incident *incident)
{
	json_t *o = json_object();

	set(o, "from_guest", match_of(&incident->from_guest));
	set(o, "to_guest", match_of(&incident->to_guest));
	set(o, "host_others", number(incident->host_others));
	return o;
}

static json_t *checked(const struct incident *incident)
{
	json_t *array = json_array();

	for (size_t i = 0; i < incident->n_checked; i++) {
		const struct incident_checked *c = &incident->checked[i];
		json_t *o = json_object();

		set(o, "what", text(c->what));
		set(o, "tried", number(c->tried));
		set(o, "worked", number(c->worked));
		set(o, "undecided", number(c->undecided));
		append(array, o);
	}
	return array;
}

static json_t *service(const struct subject *s)
{
	json_t *o;

	if (s->service_confidence == SERVICE_UNKNOWN)
		return json_null();
	o = json_object();
	set(o, "name", text(s->service));
	set(o, "confidence",
	    text(s->service_confidence == SERVICE_BY_CONTENT ? "dpi" : "port"));
	return o;
}

static json_t *subject(const struct subject *s)
{
	json_t *o = json_object();

	set(o, "src", address_or_null(s->has_src, &s->src));
	set(o, "dst", address_or_null(s->has_dst, &s->dst));
	set(o, "proto", text(s->proto));
	set(o, "port", number_or_null(s->has_port, s->port));
	set(o, "service", service(s));
	return o;
}

static json_t *fix_of(const struct fix_steps *f)
{
	json_t *o = json_object();
	json_t *steps = json_array();

	for (const char *const *step = f->steps; *step; step++)
		append(steps, text(*step));
	set(o, "platform", text(f->platform));
	set(o, "steps", steps);
	return o;
}

static json_t *explained(const struct explained *e)
{
	json_t *o = json_object();

	set(o, "rule", text(e->rule));
	set(o, "count", number(e->count));
	return o;
}

static json_t *filter_of(const struct claim *claim)
{
	struct strbuf filter = { 0 };
	json_t *value;

	claim_filter(claim, &filter);
	value = text(strbuf_text(&filter));
	strbuf_free(&filter);
	return value;
}

static const struct claim *claim_at(const struct incident *incident, int32_t i)
{
	return i < 0 ? NULL : &incident->claims[i];
}

static json_t *control(const struct claim *claim)
{
	json_t *o;

	if (!claim)
		return json_null();
	o = json_object();
	set(o, "what", text(claim->what));
	set(o, "filter", filter_of(claim));
	set(o, "count", number(claim->count));
	return o;
}

static json_t *twin(const struct incident *incident, const struct claim *claim)
{
	json_t *o;

	if (!claim)
		return json_null();
	o = json_object();
	set(o, "file", text(incident->captures[claim->capture].file));
	set(o, "filter", filter_of(claim));
	set(o, "count", number(claim->count));
	return o;
}

static json_t *evidence(const struct incident *incident,
                        const struct evidence *e)
{
	const struct claim *claim = &incident->claims[e->claim];
	const struct claim *twin_claim = claim_at(incident, e->twin);
	const struct incident_capture *c = &incident->captures[claim->capture];
	json_t *o = json_object();
	json_t *frames = json_array();

	for (size_t i = 0; i < claim->n_frames; i++)
		append(frames, number(claim->frames[i]));
	set(o, "file", text(c->file));
	set(o, "point", text(c->points[claim->point].id));
	set(o, "what", text(claim->what));
	set(o, "filter", filter_of(claim));
	set(o, "count", number(claim->count));
	set(o, "total", number(e->total));
	set(o, "frames", frames);
	/* What is there proves itself; only absence needs more. */
	if (claim->count > 0)
		return o;
	set(o, "control", control(claim_at(incident, e->control)));
	set(o, "twin", twin(incident, twin_claim));
	if (!twin_claim)
		set(o, "twin_reason", text(e->twin_reason));
	return o;
}

static json_t *texts(char *const *items, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, text(items[i]));
	return array;
}

static void set_who(json_t *o, const struct diagnosis *d)
{
	json_t *subjects = json_array();

	for (size_t i = 0; i < d->n_subjects; i++)
		append(subjects, subject(&d->subjects[i]));
	set(o, "place", word(&enum_set_place, d->place));
	set(o, "direction", word(&enum_set_direction, d->direction));
	set(o, "after", text(d->after));
	set(o, "before", text(d->before));
	set(o, "subjects", subjects);
	set(o, "count", number(d->count));
	set(o, "tries", number(d->tries));
	set(o, "first_ns", number_or_null(d->has_time, d->first_ns));
	set(o, "last_ns", number_or_null(d->has_time, d->last_ns));
}

static json_t *diagnosis(const struct incident *incident,
                         const struct diagnosis *d)
{
	json_t *o = json_object();
	json_t *fixes = json_array();
	json_t *explains = json_array();
	json_t *proof = json_array();

	for (size_t i = 0; i < d->n_fix; i++)
		append(fixes, fix_of(&d->fix[i]));
	for (size_t i = 0; i < d->n_explains; i++)
		append(explains, explained(&d->explains[i]));
	for (size_t i = 0; i < d->n_evidence; i++)
		append(proof, evidence(incident, &d->evidence[i]));
	set(o, "rule", text(d->rule));
	set(o, "variant", text(d->variant));
	set(o, "title", text(d->title));
	set(o, "severity", text(severity_name(d->severity)));
	set(o, "confidence", text(confidence_name(d->confidence)));
	set(o, "because", texts(d->because, d->n_because));
	set_who(o, d);
	set(o, "statement", text(d->statement));
	set(o, "cause", text(d->cause));
	set(o, "fix", fixes);
	set(o, "explains", explains);
	set(o, "evidence", proof);
	if (d->explained_by)
		set(o, "explained_by", text(d->explained_by));
	return o;
}

static json_t *diagnoses(const struct incident *incident,
                         const struct diagnosis *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		append(array, diagnosis(incident, &list[i]));
	return array;
}

static json_t *next_captures(const struct judgement *j)
{
	json_t *array = json_array();

	for (size_t i = 0; i < j->n_next; i++) {
		json_t *o = json_object();

		set(o, "point", text(j->next[i].point));
		set(o, "command", text(j->next[i].command));
		set(o, "settles", text(j->next[i].settles));
		append(array, o);
	}
	return array;
}

static json_t *about(const struct judgement *j)
{
	json_t *array = json_array();

	for (size_t i = 0; i < j->n_about; i++) {
		const struct about *a = &j->about[i];
		json_t *o = json_object();

		set(o, "asked", text(a->asked));
		set(o, "answer", text(a->answer));
		set(o, "tried", number(a->tried));
		set(o, "worked", number(a->worked));
		set(o, "rule", text(a->rule));
		append(array, o);
	}
	return array;
}

static json_t *rules_of(const struct rule_set *rules)
{
	json_t *o = json_object();

	set(o, "count", number(rule_set_count(rules)));
	set(o, "digest", text(rule_set_digest(rules)));
	return o;
}

static json_t *report(const struct report_input *in)
{
	const struct incident *incident = in->incident;
	const struct judgement *j = in->judgement;
	json_t *o = json_object();
	json_t *captures = json_array();

	for (size_t i = 0; i < incident->n_captures; i++)
		append(captures, capture(&incident->captures[i]));
	set(o, "schema", json_string("pcapdiag/1"));
	set(o, "version", json_string(PACKAGE_VERSION));
	set(o, "rules", rules_of(in->rules));
	set(o, "verdict", text(verdict_name(j->verdict)));
	set(o, "summary", text(j->summary));
	set(o, "about", about(j));
	set(o, "captures", captures);
	set(o, "clock", clock_of(&incident->clock));
	set(o, "guest", guest(incident));
	set(o, "match", match(incident));
	set(o, "checked", checked(incident));
	set(o, "diagnoses", diagnoses(incident, j->diagnoses, j->n_diagnoses));
	set(o, "symptoms", diagnoses(incident, j->symptoms, j->n_symptoms));
	set(o, "notes", diagnoses(incident, j->notes, j->n_notes));
	set(o, "next_capture", next_captures(j));
	set(o, "limits", texts(j->limits, j->n_limits));
	return o;
}

void report_json(const struct report_input *in, struct strbuf *out)
{
	json_t *o = report(in);
	/* ASCII only: a terminal can be shown the report as it is. */
	char *dump = json_dumps(o, JSON_INDENT(1) | JSON_PRESERVE_ORDER |
	                                   JSON_ENSURE_ASCII);

	if (!dump)
		abort();
	strbuf_puts(out, dump);
	strbuf_puts(out, "\n");
	free(dump);
	json_decref(o);
}
