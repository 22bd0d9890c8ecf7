#include "correlate/unacked.h"

#include "base/strbuf.h"
#include "correlate/run.h"

/* Sent again so often, it takes three seconds where round trips are short. */
#define REPEATS_MIN 4
#define SILENT_NS INT64_C(3000000000)

#define UNACKED_MAX 16

/** struct unacked - One such connection, as both ends of the path show it */
struct unacked {
	const struct flow *vm;
	const struct flow *host;
	uint32_t vm_point;
	uint32_t host_point;
};

static bool is_behind(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* Nothing came back since, and neither side has ended it. */
static bool is_silent(const struct scene *s, uint32_t point,
                      const struct flow *f, uint32_t repeats)
{
	const struct observation *o = &s->points[point];
	const struct tcp_progress *d = &f->client_data;
	int64_t end_ns = s->incident->captures[o->capture].last_ns;

	return f->key.protocol == PROTOCOL_TCP && d->known &&
	       is_behind(d->acked, d->next) && d->repeats >= repeats &&
	       f->received > 0 && f->server_last_ns <= d->last_ns &&
	       d->last_ns + SILENT_NS <= end_ns && !f->finished &&
	       f->client_resets == 0 && f->server_resets == 0;
}

/* Sequence numbers survive a translation. */
static const struct flow *same_at(const struct scene *s, uint32_t point,
                                  const struct flow *f)
{
	const struct flow_table *t = &s->points[point].track.flows;

	for (uint32_t i = 0; i < t->n_flows; i++) {
		const struct flow *h = &t->flows[i];

		if (h->key.server_port == f->key.server_port &&
		    addr_equal(&h->key.server, &f->key.server) &&
		    is_silent(s, point, h, 1) &&
		    h->client_data.next == f->client_data.next &&
		    h->client_data.acked == f->client_data.acked)
			return h;
	}
	return NULL;
}

/* What is sent in vain, at one end of the path */
static void add_copies(struct scene *s, uint32_t point, const struct flow *f,
                       struct fact *to)
{
	struct evidence e = {
		.leg = EVIDENCE_REQUEST,
		.at = s->points[point].role,
		.control = -1,
		.twin = -1,
		.total = f->client_data.repeats + 1,
	};
	struct claim *c = point_claim(s, point, &e.claim);

	claim_add_ip(c, CLAIM_IP_SRC, &f->key.client);
	claim_add_ip(c, CLAIM_IP_DST, &f->key.server);
	claim_add_number(c, CLAIM_TCP_SRC_PORT, f->key.client_port);
	claim_add_number(c, CLAIM_TCP_DST_PORT, f->key.server_port);
	claim_add_number(c, CLAIM_TCP_SEQ, f->client_data.acked);
	claim_add_flag(c, CLAIM_TCP_DATA);
	claim_add_flag(c, CLAIM_NOT_QUOTED);
	c->what = text_copy("copies of the data that nobody acknowledges");
	fact_add_evidence(to, &e);
}

static void write_fact(struct scene *s, const struct unacked *u)
{
	struct fact *f = facts_add(s->incident->facts, FACT_KIND_TCP);
	const struct flow_key *k = &u->vm->key;
	const struct tcp_progress *d = &u->vm->client_data;
	int64_t first_ns =
		scene_host_ns(s, &s->points[u->vm_point], d->last_ns);
	int64_t last_ns = scene_host_ns(s, &s->points[u->vm_point],
	                                u->vm->client_last_ns);

	f->n_failed = 1;
	fact_set_enum(f, FIELD_PROTO, PROTOCOL_TCP);
	fact_set_ip(f, FIELD_CLIENT_IP, &k->client);
	fact_set_ip(f, FIELD_SERVER_IP, &k->server);
	fact_set_number(f, FIELD_SERVER_PORT, k->server_port);
	fact_set_bool(f, FIELD_CLIENT_IS_GUEST, true);
	fact_set_bool(f, FIELD_SERVER_IS_GUEST, false);
	fact_set_bool(f, FIELD_GUEST_IS_END, true);
	fact_set_enum(f, FIELD_MODE, (int)s->guest.mode);
	fact_set_enum(f, FIELD_OUTCOME, OUTCOME_WORKED); /* it was open */
	fact_set_number(f, FIELD_TRIES, (int64_t)d->repeats + 1);
	fact_set_number(f, FIELD_UNACKED_BYTES,
	                (int64_t)(uint32_t)(d->next - d->acked));
	fact_set_number(f, FIELD_FIRST, first_ns);
	fact_set_number(f, FIELD_LAST, last_ns);
	fact_set_number(f, FIELD_SPAN, last_ns - first_ns);
	fact_set_label(f, FIELD_LABEL_PEER, &k->server, sizeof(k->server));
	if (s->guest.n_macs > 0)
		fact_set_label(f, FIELD_LABEL_GUEST, &s->guest.macs[0],
		               sizeof(struct mac));
	add_copies(s, u->vm_point, u->vm, f);
	add_copies(s, u->host_point, u->host, f);
}

static size_t find_at(const struct scene *s, uint32_t point, uint32_t outermost,
                      struct unacked *out, size_t max)
{
	const struct flow_table *t = &s->points[point].track.flows;
	size_t n = 0;

	for (uint32_t i = 0; i < t->n_flows && n < max; i++) {
		const struct flow *f = &t->flows[i];
		const struct flow *h;

		if (!scene_is_guest_ip(s, &f->key.client) ||
		    !is_silent(s, point, f, REPEATS_MIN))
			continue;
		h = same_at(s, outermost, f);
		if (h)
			out[n++] = (struct unacked){ f, h, point, outermost };
	}
	return n;
}

void unacked_find(struct scene *s)
{
	struct unacked all[UNACKED_MAX];
	size_t n = 0;

	if (s->n_path == 0)
		return;
	for (uint32_t i = 0; i < s->n_points; i++)
		if (s->points[i].role == CAPTURE_ROLE_VM)
			n += find_at(s, i, s->path[s->n_path - 1], all + n,
			             UNACKED_MAX - n);
	for (size_t i = 0; i < n; i++)
		write_fact(s, &all[i]);
}
