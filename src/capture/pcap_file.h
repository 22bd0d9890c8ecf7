/*
 * A classic pcap file (draft-ietf-opsawg-pcap).  libpcap judges the header; the
 * records of the common variants are walked here, at a fraction of its cost and
 * as far as tshark reads them (libpcap stops at a record above the snapshot
 * length).  The odd variants are read by libpcap.
 */
#ifndef PCAPDIAG_CAPTURE_PCAP_FILE_H
#define PCAPDIAG_CAPTURE_PCAP_FILE_H

#include "capture/capture.h"
#include "capture/stream.h"

struct pcap_file;

/** pcap_file_probe() - Do these bytes begin a pcap file of any variant? */
bool pcap_file_probe(const uint8_t magic[4]);

/**
 * pcap_file_open() - Read the file header
 * @s:		at its first byte; borrowed until pcap_file_close()
 * @err:	set on failure, without the name of the file
 */
struct pcap_file *pcap_file_open(struct stream *s, struct errmsg *err);

void pcap_file_close(struct pcap_file *f);

enum capture_result pcap_file_next(struct pcap_file *f, struct frame *frame);

/** pcap_file_rewind() - Begin again; also rewinds the stream */
void pcap_file_rewind(struct pcap_file *f);

/** pcap_file_cut() - After CAPTURE_CUT: what was found */
const char *pcap_file_cut(const struct pcap_file *f);

/** pcap_file_interface() - The only interface */
const struct capture_interface *pcap_file_interface(const struct pcap_file *f);

#endif
