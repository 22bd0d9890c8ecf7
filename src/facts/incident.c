#include "facts/incident.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"

struct incident *incident_new(void)
{
	struct incident *incident = xcalloc(1, sizeof(*incident));

	incident->facts = facts_new();
	return incident;
}

static void free_capture(struct incident_capture *capture)
{
	for (size_t i = 0; i < capture->n_points; i++) {
		free(capture->points[i].id);
		free(capture->points[i].name);
		free(capture->points[i].tunnel);
	}
	free(capture->points);
	free(capture->file);
	free(capture->cut_text);
}

static void free_nic(struct incident_nic *nic)
{
	free(nic->ips);
	free(nic->vlans);
	free(nic->gateways);
}

static void free_texts(struct incident_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		free(texts->items[i]);
	free(texts->items);
}

void incident_free(struct incident *incident)
{
	if (!incident)
		return;

	for (size_t i = 0; i < incident->n_captures; i++)
		free_capture(&incident->captures[i]);
	for (size_t i = 0; i < incident->n_nics; i++)
		free_nic(&incident->nics[i]);
	for (size_t i = 0; i < incident->n_claims; i++)
		claim_free(&incident->claims[i]);
	free_texts(&incident->limits);
	free_texts(&incident->blind);
	for (size_t i = 0; i < incident->n_questions; i++)
		free(incident->questions[i].exchanges);
	free(incident->questions);
	free(incident->captures);
	free(incident->nics);
	free(incident->checked);
	free(incident->claims);
	facts_free(incident->facts);
	free(incident);
}

/* Claims are many: room for them doubles whenever their number is 2^n. */
static void reserve_claim(struct incident *incident)
{
	size_t n = incident->n_claims;

	if (n & (n - 1))
		return;
	incident->claims = xreallocarray(incident->claims, n ? 2 * n : 1,
	                                 sizeof(*incident->claims));
}

int32_t incident_add_claim(struct incident *incident, uint32_t capture,
                           uint32_t point)
{
	const struct incident_capture *c;

	assert(capture < incident->n_captures);
	c = &incident->captures[capture];
	assert(point < c->n_points);
	assert(incident->n_claims < INT32_MAX);

	reserve_claim(incident);
	incident->claims[incident->n_claims] = (struct claim){
		.capture = capture,
		.point = point,
		.linktype = c->points[point].linktype,
	};
	return (int32_t)incident->n_claims++;
}

struct claim *incident_claim(struct incident *incident, int32_t i)
{
	assert(i >= 0 && (size_t)i < incident->n_claims);
	return &incident->claims[i];
}

const char *incident_file_name(const struct incident_capture *c)
{
	const char *slash = strrchr(c->file, '/');

	return slash ? slash + 1 : c->file;
}

static void add_text(struct incident_texts *texts, const char *text)
{
	for (size_t i = 0; i < texts->n; i++)
		if (strcmp(texts->items[i], text) == 0)
			return;
	texts->items = xreallocarray(texts->items, texts->n + 1,
	                             sizeof(*texts->items));
	texts->items[texts->n++] = text_copy(text);
}

void incident_add_limit(struct incident *incident, const char *text)
{
	add_text(&incident->limits, text);
}

void incident_add_blind(struct incident *incident, const char *text)
{
	add_text(&incident->blind, text);
}
