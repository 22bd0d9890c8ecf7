#include "correlate/scene.h"

void clones_find(struct scene *s)
{
	(void)s;
}
void outage_note(struct scene *s, uint32_t point, const struct packet *p, int64_t host_ns)
{
	(void)s;(void)point;(void)p;(void)host_ns;
}
void nic_facts(struct scene *s)
{
	(void)s;
}
