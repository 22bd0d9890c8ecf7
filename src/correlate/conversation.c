#include "correlate/conversation.h"

#include "base/xalloc.h"

void conversations_count_failures(struct sorter *so)
{
	so->chance.rate = so->scene->loss_rate;
	for (uint32_t i = 0; i < so->n; i++) {
		const struct conversation *cv = &so->conversations[i];
		enum protocol protocol = (enum protocol)cv->key.protocol;

		chance_note_exchange(&so->chance, protocol, cv->role,
		                     cv->n_worked + cv->n_failed);
		for (uint32_t j = 0; j < cv->n_stretches; j++)
			chance_note_run(&so->chance, protocol, cv->role,
			                cv->stretches[j].n);
	}
}

void conversations_count_checked(const struct sorter *so)
{
	struct scene *s = so->scene;
	static const struct {
		enum protocol protocol;
		enum try_role role;
		const char *what;
	} rows[] = {
		{ PROTOCOL_TCP, TRY_ROLE_FROM_GUEST,
		  "TCP connections of the guest" },
		{ PROTOCOL_TCP, TRY_ROLE_TO_GUEST,
		  "TCP connections to the guest" },
		{ PROTOCOL_DNS, TRY_ROLE_FROM_GUEST,
		  "DNS queries of the guest" },
		{ PROTOCOL_ICMP, TRY_ROLE_FROM_GUEST, "pings of the guest" },
		{ PROTOCOL_ICMP, TRY_ROLE_TO_GUEST, "pings to the guest" },
		{ PROTOCOL_ARP, TRY_ROLE_FROM_GUEST,
		  "ARP requests of the guest" },
	};

	s->incident->checked = xcalloc(sizeof(rows) / sizeof(rows[0]),
	                               sizeof(*s->incident->checked));
	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct incident_checked row = { .what = rows[r].what };

		for (uint32_t i = 0; i < so->n; i++) {
			const struct conversation *cv = &so->conversations[i];

			if (cv->key.protocol != rows[r].protocol ||
			    cv->role != rows[r].role)
				continue;
			row.tried +=
				cv->n_worked + cv->n_failed + cv->n_undecided;
			row.worked += cv->n_worked;
			row.undecided += cv->n_undecided + cv->n_untold;
		}
		if (row.tried > 0)
			s->incident->checked[s->incident->n_checked++] = row;
	}
}
