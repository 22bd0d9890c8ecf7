/*
 * The quality of each capture as fields of its fact: what it cut, lost, never
 * recorded, and what offload has put together.
 */
#include "correlate/scene.h"

#define SECOND_NS INT64_C(1000000000)

static int64_t drops_of(const struct scene *s, uint32_t capture)
{
	uint32_t n = capture_interface_count(s->captures[capture]);
	int64_t drops = -1;

	for (uint32_t i = 0; i < n; i++) {
		int64_t more =
			capture_interface(s->captures[capture], i)->drops;

		if (more >= 0)
			drops = drops < 0 ? more : drops + more;
	}
	return drops;
}

static void set_direction(const struct scene *s, uint32_t capture,
                          struct fact *f)
{
	bool one_way = false;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		for (int d = 0; d < 2 && o->capture == capture; d++) {
			if (!o->lacks[d])
				continue;
			one_way = true;
			fact_set_enum(f, FIELD_CAPTURE_LACKS, d);
		}
	}
	fact_set_bool(f, FIELD_CAPTURE_ONE_WAY, one_way);
}

static void set_cut(const struct scene *s, uint32_t capture, struct fact *f)
{
	int64_t headers = 0, kept = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct quality *q = &s->points[i].track.quality;

		if (s->points[i].capture != capture)
			continue;
		headers += (int64_t)q->headers_cut;
		if (q->kept > kept)
			kept = q->kept;
	}
	fact_set_number(f, FIELD_CAPTURE_HEADERS_CUT, headers);
	if (kept > 0)
		fact_set_number(f, FIELD_CAPTURE_KEPT, kept);
	else
		fact_set_absent(f, FIELD_CAPTURE_KEPT);
}

/* All seconds of the capture in which it lost something, in the host's clock */
static void collect_gaps(const struct scene *s, const struct observation *o,
                         struct second_set *gaps)
{
	int64_t ts_ns;

	for (size_t i = 0; second_set_get(&o->holes, i, &ts_ns); i++)
		second_set_add(gaps, ts_ns);
	for (size_t i = 0; second_set_get(&o->track.quality.gaps, i, &ts_ns);
	     i++)
		second_set_add(gaps, scene_host_ns(s, o, ts_ns));
}

static void set_gaps(const struct scene *s, uint32_t capture, struct fact *f)
{
	struct second_set gaps = { 0 };
	int64_t acks = 0, tcp = 0, ts_ns;
	int64_t drops = drops_of(s, capture);

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];

		if (o->capture != capture)
			continue;
		acks += (int64_t)o->track.quality.unseen_acks;
		tcp += (int64_t)o->track.seen[TRAFFIC_TCP].count;
		collect_gaps(s, o, &gaps);
	}
	fact_set_number(f, FIELD_CAPTURE_UNSEEN_ACKS, acks);
	fact_set_number(f, FIELD_CAPTURE_TCP_PACKETS, tcp);
	fact_set_number(f, FIELD_CAPTURE_GAP_SECONDS,
	                (int64_t)second_set_size(&gaps));
	if (drops >= 0)
		fact_set_number(f, FIELD_CAPTURE_DROPS, drops);
	if (second_set_get(&gaps, 0, &ts_ns))
		fact_set_number(f, FIELD_CAPTURE_GAP_FIRST, ts_ns);
	if (second_set_get(&gaps, second_set_size(&gaps) - 1, &ts_ns))
		fact_set_number(f, FIELD_CAPTURE_GAP_LAST, ts_ns + SECOND_NS);
	second_set_free(&gaps);
}

static void set_offload(const struct scene *s, uint32_t capture, struct fact *f)
{
	int64_t oversize = 0, largest = 0, unfinished = 0;

	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct quality *q = &s->points[i].track.quality;

		if (s->points[i].capture != capture)
			continue;
		oversize += (int64_t)q->oversize;
		unfinished += (int64_t)q->unfinished;
		if (q->largest > largest)
			largest = q->largest;
	}
	fact_set_number(f, FIELD_CAPTURE_OVERSIZE, oversize);
	fact_set_number(f, FIELD_CAPTURE_LARGEST, largest);
	fact_set_number(f, FIELD_CAPTURE_UNFINISHED, unfinished);
}

static bool is_readable(const struct scene *s, uint32_t capture)
{
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct point *p = &s->points[i].track;

		if (s->points[i].capture == capture &&
		    p->packets > p->truncated + p->malformed + p->unsupported)
			return true;
	}
	return false;
}

/* What most frames have in front of them; 0: nothing */
static uint32_t header_bytes(struct capture *c)
{
	uint64_t of = 0, n[VIRTIO_HEADER_MAX + 1] = { 0 };
	struct frame frame;

	capture_rewind(c);
	for (; capture_next(c, &frame) == CAPTURE_FRAME; of++)
		if (capture_interface(c, frame.interface)->linktype ==
		    LINKTYPE_EN10MB)
			n[virtio_header_bytes(&frame)]++;
	for (uint32_t i = 1; i <= VIRTIO_HEADER_MAX; i++)
		if (2 * n[i] > of)
			return i;
	return 0;
}

/* Only where nothing can be read as it is: that is why. */
static void set_header(const struct scene *s, uint32_t capture, struct fact *f)
{
	fact_set_number(f, FIELD_CAPTURE_HEADER_BYTES,
	                is_readable(s, capture)
	                        ? 0
	                        : header_bytes(s->captures[capture]));
}

void capture_quality_facts(const struct scene *s, uint32_t capture,
                           struct fact *f)
{
	set_direction(s, capture, f);
	set_cut(s, capture, f);
	set_gaps(s, capture, f);
	set_offload(s, capture, f);
	set_header(s, capture, f);
}
