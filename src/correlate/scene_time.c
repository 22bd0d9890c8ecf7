#include "correlate/scene_time.h"

#include "correlate/scene.h"

int64_t scene_host_ns(const struct scene *s, const struct observation *o,
                      int64_t ts_ns)
{
	const struct clock_line *line = &s->stretches[0].line;

	if (o->role != CAPTURE_ROLE_VM || !s->aligned)
		return ts_ns;
	for (size_t i = 1; i < s->n_stretches; i++)
		if (ts_ns >= s->stretches[i].from_guest_ns)
			line = &s->stretches[i].line;
	/* The offset hardly changes over the offset itself. */
	return ts_ns - clock_line_at(line, ts_ns - line->offset_ns);
}

int64_t scene_point_ns(const struct scene *s, const struct observation *o,
                       int64_t host_ns)
{
	const struct clock_line *line = &s->stretches[0].line;

	if (o->role != CAPTURE_ROLE_VM || !s->aligned)
		return host_ns;
	for (size_t i = 1; i < s->n_stretches; i++)
		if (host_ns >= s->stretches[i].from_host_ns)
			line = &s->stretches[i].line;
	return host_ns + clock_line_at(line, host_ns);
}

int64_t scene_read_ns(const struct scene *s, uint32_t capture, uint64_t frame,
                      int64_t ts_ns)
{
	if (ts_ns == 0 || s->steps[capture].n == 0)
		return ts_ns;
	return clock_steps_without(&s->steps[capture], frame, ts_ns);
}

void scene_claim_time(const struct scene *s, const struct observation *o,
                      struct claim *c, int64_t from_ns, int64_t to_ns)
{
	const struct clock_steps *steps = &s->steps[o->capture];
	int64_t ranges[CLOCK_STEPS_MAX + 1][2];
	size_t n = 0;

	for (size_t i = 0; i <= steps->n; i++) {
		int64_t shift_ns = i > 0 ? steps->items[i - 1].shift_ns : 0;
		int64_t first = i > 0 ? steps->items[i - 1].at_ns : INT64_MIN;
		int64_t end = i < steps->n ? steps->items[i].at_ns : INT64_MAX;

		if (from_ns >= end || to_ns < first)
			continue;
		ranges[n][0] = (from_ns > first ? from_ns : first) + shift_ns;
		ranges[n++][1] = (to_ns < end ? to_ns : end - 1) + shift_ns;
	}
	if (n == 0) { /* it ends before it begins: nothing is meant */
		ranges[n][0] = from_ns;
		ranges[n++][1] = to_ns;
	}
	claim_add_times(c, ranges, n);
}
