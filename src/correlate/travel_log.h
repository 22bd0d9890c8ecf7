/*
 * How long packets travel between the guest and its host, as far as both clocks
 * tell: of each part of the time that both captures cover, the shortest in each
 * direction.  They bound the clocks' difference better than the few requests
 * that it was found by.
 */
#ifndef PCAPDIAG_CORRELATE_TRAVEL_LOG_H
#define PCAPDIAG_CORRELATE_TRAVEL_LOG_H

#include "correlate/scene.h"

#define TRAVEL_PARTS 64

/** struct travel - One packet; times in the host's clock */
struct travel {
	bool known;
	int64_t host_ns; /* at the host */
	int64_t vm_ns;   /* in the guest */
};

/** struct travel_log - Set the first two and leave the rest zero */
struct travel_log {
	int64_t from_ns;
	int64_t to_ns;
	struct travel shortest[2][TRAVEL_PARTS]; /* by direction */
};

/** travel_log_note() - One packet was seen at both sides */
void travel_log_note(struct travel_log *log, enum path_direction direction,
                     int64_t host_ns, int64_t vm_ns);

/** travel_log_refine() - Fit a clock to them, for the report, if its error is
 * not much larger than the scene's and its drift better known */
void travel_log_refine(struct scene *s, const struct travel_log *log);

#endif
