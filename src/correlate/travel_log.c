#include "correlate/travel_log.h"

void travel_log_note(struct travel_log *log, enum path_direction direction,
                     int64_t host_ns, int64_t vm_ns)
{
	int64_t part_ns = (log->to_ns - log->from_ns) / TRAVEL_PARTS + 1;
	bool from = direction == PATH_DIRECTION_FROM_GUEST;
	struct travel *t;

	if (host_ns < log->from_ns || host_ns > log->to_ns)
		return;
	t = &log->shortest[direction][(host_ns - log->from_ns) / part_ns];
	if (t->known && (from ? host_ns - vm_ns >= t->host_ns - t->vm_ns
	                      : vm_ns - host_ns >= t->vm_ns - t->host_ns))
		return;
	*t = (struct travel){ .known = true,
		              .host_ns = host_ns,
		              .vm_ns = vm_ns };
}

void travel_log_refine(struct scene *s, const struct travel_log *log)
{
	struct clock_pair pairs[2 * TRAVEL_PARTS];
	size_t n[2] = { 0, 0 }, all = 0;
	struct clock_line line;

	for (int d = 0; d < 2; d++)
		for (size_t i = 0; i < TRAVEL_PARTS; i++) {
			const struct travel *t = &log->shortest[d][i];

			if (!t->known)
				continue;
			n[d]++;
			pairs[all++] = (struct clock_pair){
				.direction = (enum path_direction)d,
				.host_ns = t->host_ns,
				.guest_ns = t->vm_ns +
				            clock_line_at(&s->clock, t->vm_ns),
			};
		}
	if (n[0] < 2 || n[1] < 2)
		return;
	line = clock_line_fit(pairs, all, s->clock.at_ns);
	/* A known drift is worth a little of the offset's precision. */
	if (line.error_ns > 2 * s->clock.error_ns ||
	    line.drift_error_ppb > s->clock.drift_error_ppb)
		return;
	line.pairs = s->clock.pairs;
	line.steps = s->clock.steps;
	s->best_clock = line;
}
