#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "corpus/expect.h"
#include "run_tests.h"

/* A NAT guest whose clock is 2.5 s ahead, one diagnosis and one note. */
struct fixture {
	struct incident_nic nic;
	struct incident incident;
	struct subject subjects[2];
	struct diagnosis diagnosis;
	struct diagnosis symptom;
	struct diagnosis note;
	struct judgement judgement;
	struct strbuf differences;
	struct errmsg err;
};

static void set_subject(struct subject *s, const char *dst, uint16_t port)
{
	s->has_src = s->has_dst = s->has_port = true;
	ck_assert(addr_parse("10.0.0.5", &s->src));
	ck_assert(addr_parse(dst, &s->dst));
	s->port = port;
	s->proto = "tcp";
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	f->nic.mode = NETWORK_MODE_NAT;
	f->incident.nics = &f->nic;
	f->incident.n_nics = 1;
	f->incident.clock = (struct incident_clock){
		.known = true,
		.offset_ns = INT64_C(2500000000),
		.error_ns = 200000,
	};
	set_subject(&f->subjects[0], "10.0.0.9", 443);
	set_subject(&f->subjects[1], "10.0.0.8", 80);
	f->diagnosis = (struct diagnosis){
		.rule = "nat-no-answer",
		.place = PLACE_BEYOND_HOST,
		.direction = PATH_DIRECTION_FROM_GUEST,
		.subjects = f->subjects,
		.n_subjects = 2,
	};
	f->symptom = (struct diagnosis){ .rule = "tcp-syn-unanswered" };
	f->note = (struct diagnosis){ .rule = "cap-filtered",
		                      .place = PLACE_CAPTURE,
		                      .direction = -1 };
	f->judgement = (struct judgement){
		.verdict = VERDICT_FAULT,
		.diagnoses = &f->diagnosis,
		.n_diagnoses = 1,
		.symptoms = &f->symptom,
		.n_symptoms = 1,
		.notes = &f->note,
		.n_notes = 1,
	};
}

static struct expect *read_text(struct fixture *f, const char *json)
{
	char path[] = "/tmp/check_corpus.XXXXXX";
	int fd = mkstemp(path);
	struct expect *e;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, json, strlen(json)), (ssize_t)strlen(json));
	ck_assert_int_eq(close(fd), 0);
	e = expect_read(path, &f->err);
	(void)unlink(path);
	return e;
}

/* What differs from the fixture, once @json is what is expected */
static const char *differences(struct fixture *f, const char *json)
{
	struct expect *e = read_text(f, json);

	ck_assert_msg(e != NULL, "%s", f->err.text);
	strbuf_free(&f->differences);
	expect_compare(e, &f->incident, &f->judgement, &f->differences);
	expect_free(e);
	return strbuf_text(&f->differences);
}

START_TEST(all_as_expected_gives_nothing)
{
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(
		differences(&f,
	                    "{\"verdict\": \"fault\", \"diagnoses\": ["
	                    "{\"rule\": \"nat-no-answer\", \"place\": "
	                    "\"beyond-host\", \"direction\": \"from-guest\", "
	                    "\"subjects\": [\"10.0.0.5 > 10.0.0.9:443/tcp\", "
	                    "\"10.0.0.5 > 10.0.0.8:80/tcp\"]}], "
	                    "\"notes\": [\"cap-filtered\"], "
	                    "\"absent\": [\"nat-snat-missing\"], "
	                    "\"mode\": \"nat\", \"offset_s\": 2.5, "
	                    "\"why\": \"\", \"origin\": \"\"}"),
		"");
	strbuf_free(&f.differences);
}
END_TEST

START_TEST(absent_keys_are_not_compared)
{
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(differences(&f, "{\"verdict\": \"fault\"}"), "");
	ck_assert_str_eq(differences(&f,
	                             "{\"verdict\": \"fault\", \"diagnoses\": ["
	                             "{\"rule\": \"nat-no-answer\"}]}"),
	                 "");
	strbuf_free(&f.differences);
}
END_TEST

START_TEST(verdict_mode_place_and_subjects_are_told)
{
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(
		differences(&f, "{\"verdict\": \"healthy\", \"mode\": "
	                        "\"bridged\", \"diagnoses\": [{\"rule\": "
	                        "\"nat-no-answer\", \"place\": \"nat\", "
	                        "\"direction\": null, \"subjects\": "
	                        "[\"10.0.0.5 > 10.0.0.9:443/tcp\"]}]}"),
		"verdict: expected healthy, got fault\n"
		"nat-no-answer: place: expected nat, got beyond-host\n"
		"nat-no-answer: direction: expected null, got from-guest\n"
		"nat-no-answer: subjects: expected 10.0.0.5 > "
		"10.0.0.9:443/tcp, got 10.0.0.5 > 10.0.0.8:80/tcp, 10.0.0.5 > "
		"10.0.0.9:443/tcp\n"
		"mode: expected bridged, got nat\n");
	strbuf_free(&f.differences);
}
END_TEST

START_TEST(one_diagnosis_more_or_less_differs)
{
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(
		differences(&f, "{\"verdict\": \"fault\", \"diagnoses\": []}"),
		"diagnoses: expected none, got nat-no-answer (beyond-host, "
		"from-guest)\n");
	f.judgement.n_diagnoses = 0;
	ck_assert_str_eq(differences(&f,
	                             "{\"verdict\": \"fault\", \"diagnoses\": ["
	                             "{\"rule\": \"nat-no-answer\"}]}"),
	                 "diagnoses: expected nat-no-answer, got none\n");
	strbuf_free(&f.differences);
}
END_TEST

START_TEST(notes_must_be_there_and_absent_nowhere)
{
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(
		differences(&f, "{\"verdict\": \"fault\", \"notes\": "
	                        "[\"cap-unrelated\"], \"absent\": "
	                        "[\"nat-no-answer\", \"tcp-syn-unanswered\", "
	                        "\"cap-filtered\", \"cap-unrelated\"]}"),
		"notes: expected cap-unrelated, not there\n"
		"absent: nat-no-answer fires and must not\n"
		"absent: tcp-syn-unanswered fires and must not\n"
		"absent: cap-filtered fires and must not\n");
	strbuf_free(&f.differences);
}
END_TEST

static bool offset_differs(struct fixture *f, int64_t offset_ns,
                           int64_t error_ns)
{
	f->incident.clock.offset_ns = offset_ns;
	f->incident.clock.error_ns = error_ns;
	return *differences(f, "{\"verdict\": \"fault\", \"offset_s\": 2.5}");
}

START_TEST(offset_must_be_near_and_its_error_honest)
{
	const int64_t ms = 1000000, s = 1000 * ms;
	struct fixture f;

	setup(&f);
	ck_assert(!offset_differs(&f, 2500 * ms, 0));
	ck_assert(!offset_differs(&f, 2500 * ms + 900000, 0));
	ck_assert(offset_differs(&f, 2500 * ms + 1100000, 0));
	ck_assert(!offset_differs(&f, 2500 * ms + 1100000, 200000));
	ck_assert(!offset_differs(&f, 2500 * ms - 4 * ms, 4 * ms));
	ck_assert(offset_differs(&f, 2500 * ms - 6 * ms, s));
	f.incident.clock.known = false;
	ck_assert(offset_differs(&f, 2500 * ms, 0));
	strbuf_free(&f.differences);
}
END_TEST

static void assert_refused(const char *json, const char *message)
{
	struct fixture f;

	setup(&f);
	ck_assert_ptr_null(read_text(&f, json));
	ck_assert_msg(strstr(f.err.text, message) != NULL, "%s", f.err.text);
	ck_assert(strncmp(f.err.text, "/tmp/check_corpus.", 18) == 0);
}

START_TEST(mistakes_name_file_and_key)
{
	assert_refused("{\"verdict\": \"fault\", \"diagnosis\": []}",
	               ": diagnosis: no such key");
	assert_refused("{\"verdict\": 1}", ": verdict: must be a text");
	assert_refused("{}", ": verdict: is missing");
	assert_refused("[]", ": must be an object");
	assert_refused("{\"verdict\": \"fault\", \"diagnoses\": [{\"rule\": "
	               "\"a\", \"at\": \"nat\"}]}",
	               ": diagnoses[0]: at: no such key");
	assert_refused("{\"verdict\": \"fault\", \"absent\": [1]}",
	               ": absent: must be a list of texts");
	assert_refused("{\"verdict\": \"fault\",\n}", ":2:1: ");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		all_as_expected_gives_nothing,
		absent_keys_are_not_compared,
		verdict_mode_place_and_subjects_are_told,
		one_diagnosis_more_or_less_differs,
		notes_must_be_there_and_absent_nowhere,
		offset_must_be_near_and_its_error_honest,
		mistakes_name_file_and_key,
		NULL,
	};

	return run_tests("corpus", tests);
}
