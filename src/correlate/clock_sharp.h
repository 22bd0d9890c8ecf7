/*
 * Stretches by broadcasts.  They are sent again to the letter, so each of one
 * file may be each of the other; but both sides hear one at the same time, so the
 * right pairs agree to the millisecond, and the others do not.
 */
#ifndef PCAPDIAG_CORRELATE_CLOCK_SHARP_H
#define PCAPDIAG_CORRELATE_CLOCK_SHARP_H

#include "correlate/clock_line.h"

/** clock_sharp() - As clock_stretches(); none is found if nothing is sharp */
size_t clock_sharp(const struct clock_pair *pairs, size_t n, uint8_t *labels);

#endif
