#include "report/names.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *point_kind_name(enum point_kind kind)
{
	switch (kind) {
	case POINT_KIND_GUEST_NIC:
		return "guest-nic";
	case POINT_KIND_GUEST_PORT:
		return "guest-port";
	case POINT_KIND_BRIDGE:
		return "bridge";
	case POINT_KIND_INSIDE_NAT:
		return "inside-nat";
	case POINT_KIND_UPLINK:
		return "uplink";
	case POINT_KIND_LOOPBACK:
		return "loopback";
	case POINT_KIND_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *platform_title(const char *platform)
{
	static const struct {
		const char *name, *title;
	} titles[] = {
		{ "any", "Any platform" },
		{ "vmware-workstation", "VMware Workstation" },
		{ "esxi", "ESXi" },
		{ "hyper-v", "Hyper-V" },
		{ "virtualbox", "VirtualBox" },
		{ "kvm", "KVM/Proxmox" },
		{ "cloud", "Cloud" },
	};

	for (size_t i = 0; i < COUNT(titles); i++)
		if (strcmp(titles[i].name, platform) == 0)
			return titles[i].title;
	return platform;
}

void linktype_title(uint32_t linktype, struct strbuf *out)
{
	static const struct {
		uint32_t linktype;
		const char *title;
	} titles[] = {
		{ 0, "NULL" },         { 1, "EN10MB" }, { 12, "RAW" },
		{ 14, "RAW" },         { 101, "RAW" },  { 108, "LOOP" },
		{ 113, "LINUX_SLL" },  { 228, "IPV4" }, { 229, "IPV6" },
		{ 276, "LINUX_SLL2" },
	};

	for (size_t i = 0; i < COUNT(titles); i++) {
		if (titles[i].linktype == linktype) {
			strbuf_puts(out, titles[i].title);
			return;
		}
	}
	strbuf_printf(out, "%lu", (unsigned long)linktype);
}

void subject_text(const struct subject *s, struct strbuf *out)
{
	char text[ADDR_TEXT_MAX];
	bool bracket = s->has_dst && s->has_port && !addr_is_v4(&s->dst);

	strbuf_puts(out, s->has_src ? addr_text(&s->src, text) : "?");
	strbuf_puts(out, bracket ? " > [" : " > ");
	strbuf_puts(out, s->has_dst ? addr_text(&s->dst, text) : "?");
	if (bracket)
		strbuf_puts(out, "]");
	if (s->has_port)
		strbuf_printf(out, ":%u", s->port);
	if (s->has_port && s->proto)
		strbuf_printf(out, "/%s", s->proto);
}

const struct incident_point *point_find(const struct incident *incident,
                                        const char *id,
                                        const struct incident_capture **capture)
{
	for (size_t i = 0; id && i < incident->n_captures; i++) {
		const struct incident_capture *c = &incident->captures[i];

		for (size_t j = 0; j < c->n_points; j++) {
			if (strcmp(c->points[j].id, id) == 0) {
				*capture = c;
				return &c->points[j];
			}
		}
	}
	return NULL;
}

static const char *without_folders(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *capture_title(const struct incident *incident,
                          const struct incident_capture *capture)
{
	const char *title = without_folders(capture->file);

	if (strcmp(capture->file, "-") == 0)
		return "standard input";
	for (size_t i = 0; i < incident->n_captures; i++) {
		const struct incident_capture *other = &incident->captures[i];

		if (other != capture &&
		    strcmp(title, without_folders(other->file)) == 0)
			return capture->file;
	}
	return title;
}
