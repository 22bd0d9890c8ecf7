/*
 * Behind user-mode NAT: which protocols are passed on at all, and for whom the
 * host looks in vain on its own link when it opens the guest's connections.
 */
#include "correlate/reach.h"
#include "correlate/relay_path.h"

static void note_passed_on(struct reach *r, const struct chain *c)
{
	const struct scene *s = r->scene;

	for (uint32_t i = 0; c->n > 1 && i < c->n; i++) {
		const struct sighting *at = &s->sightings[c->first + i];

		if (s->points[at->point].relayed)
			r->passed_on[sighting_flow(s, at)->key.protocol]++;
	}
}

void relay_index(struct reach *r)
{
	const struct scene *s = r->scene;

	for (size_t i = 0; i < s->n_chains; i++)
		note_passed_on(r, &s->chains[i]);
}

static void add_sought(struct scene *s, const struct run *run, uint32_t point,
                       uint32_t n, struct fact *f)
{
	struct evidence e = {
		.leg = EVIDENCE_OTHER,
		.at = CAPTURE_ROLE_HOST,
		.control = -1,
		.twin = -1,
		.total = n,
	};
	struct claim *c = point_claim(s, point, &e.claim);
	char ip[ADDR_TEXT_MAX];

	claim_add_number(c, CLAIM_ARP_OPCODE, 1);
	claim_add_ip(c, CLAIM_ARP_SRC_IP,
	             scene_outside_for(s, &run->key.server));
	claim_add_ip(c, CLAIM_ARP_DST_IP, &run->key.server);
	c->what = text_format("ARP requests of the host for %s, in vain",
	                      addr_text(&run->key.server, ip));
	fact_add_evidence(f, &e);
}

/* What nobody but others asked does not tell what it does for the guest. */
static bool passes_only_in(const struct scene *s)
{
	for (uint32_t i = 0; i < s->n_path; i++)
		if (s->points[s->path[i]].relayed &&
		    !s->points[s->path[i]].forwards_only)
			return false;
	return true;
}

void relay_describe_run(const struct reach *r, struct scene *s,
                        const struct run *run, struct fact *f)
{
	bool found = false;

	if (s->guest.mode != NETWORK_MODE_USER_NAT ||
	    run->role != TRY_ROLE_FROM_GUEST)
		return;
	if (!passes_only_in(s) || r->passed_on[run->key.protocol] > 0)
		fact_set_bool(f, FIELD_NAT_PASSES_ON,
		              r->passed_on[run->key.protocol] > 0);
	for (uint32_t i = 0; i < s->n_points && !found; i++) {
		uint32_t n = relay_sought_tries(s, i, &run->key.server);

		found = n > 0;
		if (found)
			add_sought(s, run, i, n, f);
	}
	fact_set_bool(f, FIELD_SERVER_SOUGHT, found);
}
