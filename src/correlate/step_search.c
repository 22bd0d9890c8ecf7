/*
 * Where in which file a clock was set.  That the offset is another one shows in
 * the pairs; whose clock it was, in the times of the frames between two of them:
 * backwards in one file, or so long a silence as no other explains.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xalloc.h"
#include "correlate/clock_pairs.h"
#include "correlate/clock_stretches.h"
#include "correlate/scene.h"

#define S INT64_C(1000000000)
#define INTERFACES_MAX 64

/**
 * struct search - Frames @after to @last of one file, between two pairs
 * @ahead_ns, @ahead_frame: the longest silence, and the frame that ends it
 * @back_ns, @back_frame: likewise, the largest step backwards
 */
struct search {
	uint64_t after;
	uint64_t last;
	int64_t ahead_ns;
	uint64_t ahead_frame;
	int64_t back_ns;
	uint64_t back_frame;
};

/** struct change - The offset changes by @ns between two pairs */
struct change {
	int64_t ns;
	uint32_t captures[2]; /* by role */
	struct search at[2];
};

/** struct file_changes - All changes that concern one file, while it is read */
struct file_changes {
	struct change *changes;
	size_t n;
	enum capture_role role;
	int64_t newest_ns;
	int64_t last_ns[INTERFACES_MAX];
};

static void look_at(struct file_changes *file, const struct frame *f)
{
	int64_t ahead_ns = f->ts_ns - file->newest_ns;
	int64_t *last_ns = &file->last_ns[f->interface % INTERFACES_MAX];
	int64_t back_ns = *last_ns - f->ts_ns;

	for (size_t i = 0; i < file->n; i++) {
		struct search *at = &file->changes[i].at[file->role];
		int64_t enough_ns = llabs(file->changes[i].ns) / 2;

		if (f->number <= at->after || f->number > at->last)
			continue;
		if (ahead_ns > at->ahead_ns && file->newest_ns > 0) {
			at->ahead_ns = ahead_ns;
			at->ahead_frame = f->number;
		}
		if (back_ns > at->back_ns && at->back_ns < enough_ns) {
			at->back_ns = back_ns;
			at->back_frame = f->number;
		}
	}
	*last_ns = f->ts_ns;
	if (ahead_ns > 0 || ahead_ns < -S)
		file->newest_ns = f->ts_ns;
}

static void look_through(const struct scene *s, struct change *changes,
                         size_t n, enum capture_role role)
{
	struct capture *c = s->captures[changes[0].captures[role]];
	struct file_changes file = { .changes = changes, .n = n, .role = role };
	struct frame frame;

	capture_rewind(c);
	while (capture_next(c, &frame) == CAPTURE_FRAME)
		if (frame.ts_ns != 0)
			look_at(&file, &frame);
}

/* @forward: the file whose clock went ahead, or else @back the one that went
 * back: neither, if the frames between do not leave room for it. */
static void settle(struct scene *s, const struct change *c)
{
	bool more = c->ns > 0;
	enum capture_role forward = more ? CAPTURE_ROLE_VM : CAPTURE_ROLE_HOST;
	enum capture_role back = more ? CAPTURE_ROLE_HOST : CAPTURE_ROLE_VM;
	const struct search *f = &c->at[forward], *b = &c->at[back];
	int64_t ns = llabs(c->ns);

	if (f->ahead_ns + b->back_ns < ns - ns / 10)
		return; /* the pairs are accidents */
	/* In a silence as long as the step nothing tells whose clock it was:
	 * then it is taken for the guest's. */
	if (b->back_ns >= ns / 2 || f->ahead_ns < ns - ns / 10)
		clock_steps_add(&s->steps[c->captures[back]], b->back_frame,
		                -ns, true);
	else if (forward == CAPTURE_ROLE_HOST && ns <= b->ahead_ns)
		clock_steps_add(&s->steps[c->captures[back]], b->ahead_frame,
		                -ns, true);
	else
		clock_steps_add(&s->steps[c->captures[forward]], f->ahead_frame,
		                ns, true);
}

static int64_t offset_near(const struct clock_pairs *pairs,
                           const uint8_t *labels, uint8_t label, int64_t at_ns)
{
	struct clock_pair *own = xcalloc(pairs->n, sizeof(*own));
	size_t n = 0;
	int64_t offset_ns;

	for (size_t i = 0; i < pairs->n; i++)
		if (labels[i] == label)
			own[n++] = pairs->items[i];
	offset_ns = clock_line_fit(own, n, at_ns).offset_ns;
	free(own);
	return offset_ns;
}

static struct change change_between(const struct scene *s,
                                    const struct clock_pairs *pairs,
                                    const uint8_t *labels, size_t i, size_t j)
{
	const struct clock_pair *a = &pairs->items[i], *b = &pairs->items[j];

	return (struct change){
		.ns = offset_near(pairs, labels, labels[j], b->host_ns) -
		      offset_near(pairs, labels, labels[i], a->host_ns),
		.captures = {
			[CAPTURE_ROLE_HOST] = s->points[a->host_point].capture,
			[CAPTURE_ROLE_VM] = s->points[a->guest_point].capture,
		},
		.at = {
			[CAPTURE_ROLE_HOST] = { .after = a->host_frame,
			                        .last = b->host_frame },
			[CAPTURE_ROLE_VM] = { .after = a->guest_frame,
			                      .last = b->guest_frame },
		},
	};
}

/* The pairs of two captures, without the steps that are known already */
static struct clock_pairs pairs_of(const struct scene *s,
                                   const struct clock_pairs *all, uint32_t host,
                                   uint32_t vm)
{
	struct clock_pairs out = {
		.items = xcalloc(all->n + 1, sizeof(*out.items)),
	};

	for (size_t i = 0; i < all->n; i++) {
		struct clock_pair p = all->items[i];

		if (s->points[p.host_point].capture != host ||
		    s->points[p.guest_point].capture != vm)
			continue;
		p.host_ns = clock_steps_without(&s->steps[host], p.host_frame,
		                                p.host_ns);
		p.guest_ns = clock_steps_without(&s->steps[vm], p.guest_frame,
		                                 p.guest_ns);
		out.items[out.n++] = p;
	}
	return out;
}

static void find_measured(struct scene *s, const struct clock_pairs *all,
                          stretch_function *stretches, uint32_t host,
                          uint32_t vm)
{
	bool others = s->n_captures > 2;
	struct clock_pairs pairs = others ? pairs_of(s, all, host, vm) : *all;
	uint8_t *labels = xcalloc(pairs.n + 1, sizeof(*labels));
	struct change changes[CLOCK_STRETCHES_MAX];
	size_t n = 0, last = SIZE_MAX;

	if (stretches(pairs.items, pairs.n, labels) > 1)
		for (size_t i = 0; i < pairs.n; i++) {
			if (labels[i] == CLOCK_STRAY)
				continue;
			if (last != SIZE_MAX && labels[i] != labels[last])
				changes[n++] = change_between(s, &pairs, labels,
				                              last, i);
			last = i;
		}
	if (n > 0) {
		look_through(s, changes, n, CAPTURE_ROLE_HOST);
		look_through(s, changes, n, CAPTURE_ROLE_VM);
	}
	for (size_t i = 0; i < n; i++)
		settle(s, &changes[i]);
	free(labels);
	if (others)
		clock_pairs_free(&pairs);
}

/* Do pairs before and after the frame say that no clock was set there? */
static bool is_measured(const struct scene *s, const struct clock_pairs *pairs,
                        const uint8_t *labels, uint32_t capture, uint64_t frame)
{
	bool before = false, after = false;

	for (size_t i = 0; i < pairs->n; i++) {
		const struct clock_pair *p = &pairs->items[i];
		uint64_t own = 0;

		if (labels[i] == CLOCK_STRAY)
			continue;
		if (s->points[p->guest_point].capture == capture)
			own = p->guest_frame;
		else if (s->points[p->host_point].capture == capture)
			own = p->host_frame;
		before |= own > 0 && own < frame;
		after |= own >= frame;
	}
	return before && after;
}

/* Time goes backwards, and no other capture tells by how much. */
static void find_unmeasured(struct scene *s, const struct clock_pairs *pairs,
                            stretch_function *stretches)
{
	uint8_t *labels = xcalloc(pairs->n + 1, sizeof(*labels));

	(void)stretches(pairs->items, pairs->n, labels);
	for (uint32_t i = 0; i < s->n_points; i++) {
		const struct observation *o = &s->points[i];
		struct clock_steps *steps = &s->steps[o->capture];

		for (size_t j = 0; j < o->n_backs; j++) {
			const struct step_back *b = &o->backs[j];
			int64_t from_ns = clock_steps_without(
				steps, b->frame - 1, b->from_ns);
			int64_t to_ns =
				clock_steps_without(steps, b->frame, b->to_ns);

			if (from_ns - to_ns > STEP_BACK_NS &&
			    !is_measured(s, pairs, labels, o->capture,
			                 b->frame))
				clock_steps_add(steps, b->frame,
				                to_ns - from_ns, false);
		}
	}
	free(labels);
}

static void tell(const struct scene *s, uint32_t capture)
{
	const struct clock_steps *steps = &s->steps[capture];

	for (size_t i = 0; i < steps->n; i++) {
		const struct clock_step *step = &steps->items[i];
		int64_t ms = (llabs(step->ns) + S / 2000) / (S / 1000);
		struct strbuf text = { 0 };

		strbuf_printf(
			&text,
			"the clock of %s was set %s by %" PRId64 ".%03" PRId64
			" s before frame %" PRIu64,
			incident_file_name(&s->incident->captures[capture]),
			step->ns < 0 ? "back" : "forward", ms / 1000, ms % 1000,
			step->frame);
		if (!step->measured)
			strbuf_puts(&text,
			            " or more, or files were joined there: "
			            "nothing tells how long it stood");
		incident_add_limit(s->incident, strbuf_text(&text));
		strbuf_free(&text);
	}
}

bool steps_find(struct scene *s, const struct clock_pairs *pairs,
                stretch_function *stretches)
{
	bool found = false;

	for (uint32_t vm = 0; vm < s->n_captures; vm++)
		for (uint32_t host = 0; host < s->n_captures; host++)
			if (s->roles[vm] == CAPTURE_ROLE_VM &&
			    s->roles[host] == CAPTURE_ROLE_HOST)
				find_measured(s, pairs, stretches, host, vm);
	find_unmeasured(s, pairs, stretches);
	for (uint32_t i = 0; i < s->n_captures; i++) {
		tell(s, i);
		found |= s->steps[i].n > 0;
	}
	return found;
}
