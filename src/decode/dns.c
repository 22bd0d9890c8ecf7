#include <ctype.h>

#include "base/hash.h"
#include "decode/decoder.h"

#define DNS_NAME_MAX 255
#define DNS_TYPE_A 1
#define DNS_TYPE_AAAA 28

/* Reads labels up to the root or a compression pointer, lower-case. */
static size_t read_name(struct cursor *c, char name[DNS_NAME_MAX + 1])
{
	size_t n = 0;

	while (!c->truncated) {
		uint8_t len = cursor_u8(c);
		const uint8_t *label;

		if (len == 0)
			return n;
		if (len >= 0xc0) {
			cursor_u8(c);
			return n;
		}
		label = len < 0x40 ? cursor_take(c, len) : NULL;
		if (!label || n + len + 1 > DNS_NAME_MAX) {
			c->truncated = true;
			return n;
		}
		for (uint8_t i = 0; i < len; i++)
			name[n++] = (char)tolower(label[i]);
		name[n++] = '.';
	}
	return n;
}

static void read_answers(struct dns_header *dns, struct cursor *c, unsigned n)
{
	char name[DNS_NAME_MAX + 1];

	while (n-- > 0 && dns->n_answers < PACKET_DNS_ANSWERS_MAX) {
		uint16_t type;
		struct cursor data;

		read_name(c, name);
		type = cursor_be16(c);
		cursor_be16(c); /* class */
		cursor_be32(c); /* TTL */
		data = cursor_sub(c, cursor_be16(c));
		if (data.truncated)
			return;
		if (type == DNS_TYPE_A && data.left == 4)
			dns->answers[dns->n_answers++] = cursor_ipv4(&data);
		if (type == DNS_TYPE_AAAA && data.left == 16)
			dns->answers[dns->n_answers++] = cursor_ipv6(&data);
	}
}

/*
 * A body that the snap length cut still is a DNS message with an id; a name that
 * is not captured leaves no hash.
 */
enum packet_status decode_dns(struct packet *p, struct cursor *c)
{
	struct dns_header *dns = &p->dns;
	char name[DNS_NAME_MAX + 1];
	uint16_t flags, questions, answers;
	size_t n;

	dns->id = cursor_be16(c);
	flags = cursor_be16(c);
	questions = cursor_be16(c);
	answers = cursor_be16(c);
	cursor_be32(c); /* counts of the other sections */
	if (c->truncated)
		return PACKET_STATUS_OK; /* something else on that port */
	dns->valid = true;
	dns->response = flags & 0x8000;
	dns->truncated = flags & 0x0200;
	dns->rcode = flags & 0x0f;
	if (questions == 0)
		return PACKET_STATUS_OK;
	n = read_name(c, name);
	dns->type = cursor_be16(c);
	cursor_be16(c); /* class */
	if (c->truncated)
		return PACKET_STATUS_OK;
	dns->name_hash = hash_stable(name, n);
	if (dns->response && questions == 1)
		read_answers(dns, c, answers);
	return PACKET_STATUS_OK;
}
