/*
 * Where one try is lost: its chain of steps along the path, each seen, absent or
 * unknown.  The place is between the last step seen and the first one absent.
 */
#ifndef PCAPDIAG_CORRELATE_LOCATE_H
#define PCAPDIAG_CORRELATE_LOCATE_H

#include "correlate/visibility.h"

/* Who talks to whom, from the guest's point of view */
enum try_role {
	TRY_ROLE_STRANGER,
	TRY_ROLE_FROM_GUEST, /* the guest asks */
	TRY_ROLE_TO_GUEST,   /* the guest is asked */
	TRY_ROLE_TO_HOST,    /* the guest's address behind NAT is asked */
};

enum try_state {
	TRY_STATE_UNDECIDED,
	TRY_STATE_HIDDEN, /* undecided: a capture lost it, or all of its kind */
	TRY_STATE_WORKED,
	TRY_STATE_REFUSED,
	TRY_STATE_FAILED,
};

/**
 * struct location - Where it is lost
 * @known:	the rest is meaningful
 * @after, @before: points (indices in the scene), or NO_POINT
 * @wide:	a point that was blind, or may be on the way, is in the gap: the
 *		place may be another one
 * @split:	the gap spans several places
 */
struct location {
	bool known;
	enum lost_leg leg;
	enum path_direction direction;
	enum place place;
	uint32_t after;
	uint32_t before;
	bool wide;
	bool split;
};

/** try_role() - What the chain is to the guest */
enum try_role try_role(const struct scene *s, const struct chain *c);

/** try_is_namesakes() - Is it the guest's address once more, with a MAC of its own,
 * in a VLAN that the guest is not in or where nothing of the guest passes? */
bool try_is_namesakes(const struct scene *s, const struct sighting *at);

/** try_reference() - The sighting whose terms (addresses) name the exchange */
const struct sighting *try_reference(const struct scene *s,
                                     const struct chain *c);

/** try_client_end() - The sighting nearest to the client on the path that shows
 * what became of the try */
const struct sighting *try_client_end(const struct scene *s,
                                      const struct chain *c);

/** try_state() - Did it work, as its client saw it? */
enum try_state try_state(const struct visibility *v, const struct scene *s,
                         const struct chain *c);

/** locate() - Where a failed try is lost */
struct location locate(const struct visibility *v, const struct scene *s,
                       const struct chain *c);

#endif
