/*
 * Times of the scene.  A point has the clock of its capture, without the steps by
 * which that was set; what is compared is in the host's clock.
 */
#ifndef PCAPDIAG_CORRELATE_SCENE_TIME_H
#define PCAPDIAG_CORRELATE_SCENE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "correlate/clock_stretches.h"
#include "facts/claim.h"

struct scene;
struct observation;
struct clock_pairs;

/** scene_host_ns() - Time @ts_ns of a point in the host's clock */
int64_t scene_host_ns(const struct scene *s, const struct observation *o,
                      int64_t ts_ns);

/** scene_point_ns() - The other way round */
int64_t scene_point_ns(const struct scene *s, const struct observation *o,
                       int64_t host_ns);

/** scene_read_ns() - Time of frame @frame with stamp @ts_ns of a capture */
int64_t scene_read_ns(const struct scene *s, uint32_t capture, uint64_t frame,
                      int64_t ts_ns);

/** scene_claim_time() - Add to @c: from @from_ns to @to_ns, times of @o, in the
 * stamps of the file */
void scene_claim_time(const struct scene *s, const struct observation *o,
                      struct claim *c, int64_t from_ns, int64_t to_ns);

/** steps_find() - Where was a clock set?  Return: anywhere? */
bool steps_find(struct scene *s, const struct clock_pairs *pairs,
                stretch_function *stretches);

#endif
