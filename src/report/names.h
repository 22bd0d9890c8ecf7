/*
 * Wording that the formats share.
 */
#ifndef PCAPDIAG_REPORT_NAMES_H
#define PCAPDIAG_REPORT_NAMES_H

#include "base/strbuf.h"
#include "facts/incident.h"
#include "rules/judgement.h"

const char *point_kind_name(enum point_kind kind);

/** platform_title() - How people write a platform's name: "KVM/Proxmox" */
const char *platform_title(const char *platform);

/** linktype_title() - Append a link type: "EN10MB", "LINUX_SLL2", or its number
 */
void linktype_title(uint32_t linktype, struct strbuf *out);

/**
 * subject_text() - Append "10.0.0.5 > 10.0.0.9:443/tcp"
 *
 * Unknown ends are "?"; without a port ":PORT/PROTO" is left out; IPv6 addresses
 * stand in brackets before a port.
 */
void subject_text(const struct subject *s, struct strbuf *out);

/** point_find() - The point called @id, or NULL; *capture is set to its file */
const struct incident_point *
point_find(const struct incident *incident, const char *id,
           const struct incident_capture **capture);

/**
 * capture_title() - Name of the file for people: without its folders where that
 * still tells it from the others
 */
const char *capture_title(const struct incident *incident,
                          const struct incident_capture *capture);

#endif
