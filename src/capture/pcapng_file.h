/*
 * A pcapng file (draft-ietf-opsawg-pcapng).  Not through libpcap, which knows
 * neither interfaces nor options and refuses files with several link types.
 * As tolerant and as strict as tshark, so that frames get the same numbers.
 */
#ifndef PCAPDIAG_CAPTURE_PCAPNG_FILE_H
#define PCAPDIAG_CAPTURE_PCAPNG_FILE_H

#include "capture/capture.h"
#include "capture/stream.h"

struct pcapng_file;

/** pcapng_file_probe() - Do these bytes begin a pcapng file? */
bool pcapng_file_probe(const uint8_t head[12]);

/**
 * pcapng_file_open() - Read up to the first interface that is supported
 * @s:		at its first byte; borrowed until pcapng_file_close()
 * @err:	set if not even the first section header can be read, without the
 *		name of the file
 *
 * The file is at its beginning after that, with those interfaces known.
 */
struct pcapng_file *pcapng_file_open(struct stream *s, struct errmsg *err);

void pcapng_file_close(struct pcapng_file *f);

enum capture_result pcapng_file_next(struct pcapng_file *f,
                                     struct frame *frame);

/** pcapng_file_rewind() - Begin again; also rewinds the stream */
void pcapng_file_rewind(struct pcapng_file *f);

/** pcapng_file_cut() - After CAPTURE_CUT: what was found; else "" */
const char *pcapng_file_cut(const struct pcapng_file *f);

uint32_t pcapng_file_interface_count(const struct pcapng_file *f);

const struct capture_interface *
pcapng_file_interface(const struct pcapng_file *f, uint32_t i);

#endif
