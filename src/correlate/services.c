/*
 * Late pass over the guest's captures: the services that a report speaks of.
 */
#include "correlate/analyse.h"
#include "decode/packet.h"

static bool read_capture(struct capture *capture, struct service_namer *namer)
{
	struct frame frame;
	struct packet p;

	capture_rewind(capture);
	while (capture_next(capture, &frame) == CAPTURE_FRAME) {
		const struct capture_interface *ci =
			capture_interface(capture, frame.interface);

		if (!ci->supported)
			continue;
		packet_decode(&frame, ci->linktype, &p);
		if (!service_namer_packet(namer, &p))
			return false;
	}
	return true;
}

void services_name(const struct incident *incident,
                   struct capture *const *captures,
                   struct service_query *queries, size_t n)
{
	struct service_namer *namer = service_namer_new(queries, n);
	bool more = namer != NULL;

	for (size_t i = 0; more && i < incident->n_captures; i++)
		if (incident->captures[i].role == CAPTURE_ROLE_VM)
			more = read_capture(captures[i], namer);
	service_namer_finish(namer);
}
