#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/names.h"
#include "report/report.h"
#include "report/wrap.h"
#include "run_tests.h"

/*
 * One incident made by hand: a guest's ARP requests for 192.168.66.20 are lost
 * before the host's bridge.
 */
struct fixture {
	struct incident_point points[2];
	struct incident_capture captures[2];
	struct in6_addr guest_ip;
	struct incident_gateway gateway;
	struct incident_nic nic;
	struct incident_checked checked[2];
	struct claim claims[4];
	struct incident incident;
	const char *any_steps[2];
	const char *kvm_steps[3];
	const char *esxi_steps[2];
	struct fix_steps fix[3];
	struct subject subject;
	struct evidence evidence[2];
	struct diagnosis diagnosis;
	struct judgement judgement;
	struct rule_set *rules;
	struct strbuf out;
};

static struct in6_addr ip(const char *text)
{
	struct in6_addr address;

	ck_assert(addr_parse(text, &address));
	return address;
}

static struct mac mac(const char *text)
{
	struct mac address;

	ck_assert(mac_parse(text, &address));
	return address;
}

static void make_captures(struct fixture *f)
{
	static char host_id[] = "host:0", vm_id[] = "vm:0", bridge[] = "br0";
	static char host_file[] = "dir/host.pcap", vm_file[] = "dir/vm.pcap";

	f->points[0] = (struct incident_point){
		.id = host_id,
		.name = bridge,
		.kind = POINT_KIND_BRIDGE,
		.linktype = 1,
		.ifindex = -1,
		.packets = 496,
	};
	f->points[1] = (struct incident_point){
		.id = vm_id,
		.kind = POINT_KIND_GUEST_NIC,
		.linktype = 276,
		.ifindex = -1,
		.packets = 405,
	};
	f->captures[0] = (struct incident_capture){
		.role = CAPTURE_ROLE_HOST,
		.file = host_file,
		.bytes = 80608,
		.format = "pcap",
		.packets = 496,
		.has_time = true,
		.first_ns = INT64_C(1700000000000000000),
		.last_ns = INT64_C(1700000009350000000),
		.snaplen = 262144,
		.points = &f->points[0],
		.n_points = 1,
	};
	f->captures[1] = f->captures[0];
	f->captures[1].role = CAPTURE_ROLE_VM;
	f->captures[1].file = vm_file;
	f->captures[1].packets = 405;
	f->captures[1].has_time = false;
	f->captures[1].points = &f->points[1];
}

static void make_incident(struct fixture *f)
{
	f->guest_ip = ip("192.168.66.14");
	f->gateway = (struct incident_gateway){ .ip = ip("192.168.66.1"),
		                                .answers = true };
	f->nic = (struct incident_nic){
		.has_mac = true,
		.mac = mac("bc:24:11:59:7b:4c"),
		.ips = &f->guest_ip,
		.n_ips = 1,
		.mode = NETWORK_MODE_BRIDGED,
		.gateways = &f->gateway,
		.n_gateways = 1,
	};
	f->checked[0] =
		(struct incident_checked){ "tcp connections", 38, 38, 0 };
	f->checked[1] = (struct incident_checked){ "pings", 4, 3, 1 };
	f->incident = (struct incident){
		.captures = f->captures,
		.n_captures = 2,
		.clock = { .known = true,
		           .offset_ns = INT64_C(-2500000000),
		           .error_ns = 200000,
		           .pairs = 301 },
		.nics = &f->nic,
		.n_nics = 1,
		.checked = f->checked,
		.n_checked = 2,
		.claims = f->claims,
		.n_claims = 4,
	};
}

static void make_claim(struct claim *c, uint32_t capture, const char *what,
                       uint64_t count)
{
	static char text[4][64];
	static int next;

	next = (next + 1) % 4;
	strcpy(text[next], what);
	*c = (struct claim){
		.capture = capture,
		.linktype = 1,
		.what = text[next],
		.counted = true,
		.count = count,
	};
	claim_add_number(c, CLAIM_ARP_OPCODE, 1);
	for (uint64_t i = 0; i < count && i < CLAIM_FRAMES_MAX; i++)
		c->frames[c->n_frames++] = 31 + 13 * i;
}

static void make_evidence(struct fixture *f)
{
	make_claim(&f->claims[0], 1, "ARP requests for 192.168.66.20", 6);
	make_claim(&f->claims[1], 0, "the same requests", 0);
	make_claim(&f->claims[2], 0, "other ARP requests of this guest", 9);
	make_claim(&f->claims[3], 1, "the same requests", 6);
	f->evidence[0] = (struct evidence){
		.claim = 0, .control = -1, .twin = -1, .total = 6
	};
	f->evidence[1] =
		(struct evidence){ .claim = 1, .control = 2, .twin = 3 };
}

static void make_fix(struct fixture *f)
{
	f->any_steps[0] = "Take a capture at the guest's switch port.";
	f->kvm_steps[0] = "nft list table bridge filter";
	f->kvm_steps[1] = "bridge link show";
	f->esxi_steps[0] = "Port group > Security: forged transmits";
	f->fix[0] = (struct fix_steps){ "any", f->any_steps };
	f->fix[1] = (struct fix_steps){ "kvm", f->kvm_steps };
	f->fix[2] = (struct fix_steps){ "esxi", f->esxi_steps };
}

static void make_judgement(struct fixture *f)
{
	static char statement[] =
		"ARP requests for 192.168.66.20 leave the guest and never "
		"reach the host's capture point.";
	static char cause[] = "The virtual switch drops them.";

	f->subject = (struct subject){
		.has_src = true,
		.src = f->guest_ip,
		.has_dst = true,
		.dst = ip("192.168.66.20"),
		.proto = "arp",
	};
	f->diagnosis = (struct diagnosis){
		.rule = "arp-lost-vswitch",
		.title = "ARP request lost",
		.severity = SEVERITY_CRITICAL,
		.confidence = CONFIDENCE_HIGH,
		.place = PLACE_GUEST_HOST_PATH,
		.direction = PATH_DIRECTION_FROM_GUEST,
		.after = "vm:0",
		.before = "host:0",
		.subjects = &f->subject,
		.n_subjects = 1,
		.count = 1,
		.tries = 6,
		.statement = statement,
		.cause = cause,
		.fix = f->fix,
		.n_fix = 3,
		.evidence = f->evidence,
		.n_evidence = 2,
	};
	f->judgement = (struct judgement){
		.verdict = VERDICT_FAULT,
		.summary = statement,
		.diagnoses = &f->diagnosis,
		.n_diagnoses = 1,
	};
}

static void setup(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	make_captures(f);
	make_incident(f);
	make_evidence(f);
	make_fix(f);
	make_judgement(f);
	f->rules = rule_set_new();
}

static void teardown(struct fixture *f)
{
	for (size_t i = 0; i < f->incident.n_claims; i++)
		free(f->claims[i].terms[0].values);
	for (size_t i = 0; i < f->incident.n_claims; i++)
		free(f->claims[i].terms);
	rule_set_free(f->rules);
	strbuf_free(&f->out);
}

static const char *text_of(struct fixture *f)
{
	const struct report_input in = {
		.incident = &f->incident,
		.judgement = &f->judgement,
		.rules = f->rules,
		.width = 80,
	};

	strbuf_free(&f->out);
	report_text(&in, &f->out);
	return strbuf_text(&f->out);
}

static json_t *json_of(struct fixture *f)
{
	const struct report_input in = {
		.incident = &f->incident,
		.judgement = &f->judgement,
		.rules = f->rules,
	};
	json_t *report;

	strbuf_free(&f->out);
	report_json(&in, &f->out);
	report = json_loads(strbuf_text(&f->out), 0, NULL);
	ck_assert_ptr_nonnull(report);
	return report;
}

#define assert_contains(text, part) ck_assert_ptr_nonnull(strstr(text, part))
#define assert_lacks(text, part) ck_assert_ptr_null(strstr(text, part))

START_TEST(diagnosis_comes_first_and_is_whole)
{
	static const char expected[] =
		"FAULT  ARP requests for 192.168.66.20 leave the guest and "
		"never reach the host's\n"
		"       capture point.\n"
		"\n"
		"  arp-lost-vswitch   critical, high confidence\n"
		"  Where     between the guest's NIC and host.pcap (br0), on "
		"the way out\n"
		"  Who       192.168.66.14 bc:24:11:59:7b:4c (guest) -> "
		"192.168.66.20\n"
		"  Proof     vm.pcap    6 ARP requests for 192.168.66.20: #31 "
		"#44 #57 #70 #83 #96\n"
		"              arp.opcode == 1\n"
		"            host.pcap  none of the same requests, though it "
		"has 9 other ARP\n"
		"                       requests of this guest\n"
		"              arp.opcode == 1\n"
		"  Cause     The virtual switch drops them.\n"
		"  Explains  nothing else that was seen\n"
		"  Fix       - Take a capture at the guest's switch port.\n"
		"            KVM/Proxmox:\n"
		"            - nft list table bridge filter\n"
		"            - bridge link show\n"
		"            ESXi:\n"
		"            - Port group > Security: forged transmits\n"
		"\n"
		"Network    bridged; guest bc:24:11:59:7b:4c 192.168.66.14; "
		"gateway 192.168.66.1\n"
		"           answers\n"
		"Checked    38 of 38 tcp connections, 3 of 4 pings (1 "
		"undecided) worked\n"
		"Captures   host.pcap 496 frames in 9.4 s, vm.pcap 405 frames; "
		"guest clock 2.500\n"
		"           s behind (+-0.2 ms, 301 pairs)\n";
	struct fixture f;

	setup(&f);
	ck_assert_str_eq(text_of(&f), expected);
	teardown(&f);
}
END_TEST

START_TEST(clock_that_is_a_bound_or_was_set)
{
	struct fixture f;

	setup(&f);
	f.incident.clock.one_sided = true;
	f.incident.clock.steps = 1;
	ck_assert_ptr_nonnull(
		strstr(text_of(&f), "301 pairs of one direction only)"));
	ck_assert_ptr_nonnull(strstr(text_of(&f), "was set, see"));
	teardown(&f);
}
END_TEST

START_TEST(known_platform_gets_its_own_steps_only)
{
	struct fixture f;

	setup(&f);
	f.incident.platform = "esxi";
	assert_contains(text_of(&f), "Take a capture");
	assert_contains(text_of(&f), "forged transmits");
	assert_lacks(text_of(&f), "nft list");
	teardown(&f);
}
END_TEST

START_TEST(file_names_that_are_alike_keep_their_folders)
{
	static char same[] = "other/host.pcap";
	struct fixture f;

	setup(&f);
	f.captures[1].file = same;
	assert_contains(text_of(&f), "other/host.pcap  6 ARP requests");
	assert_contains(text_of(&f), "dir/host.pcap 496 frames");
	teardown(&f);
}
END_TEST

START_TEST(bytes_of_packets_and_file_names_are_escaped)
{
	static char name[] = "vm\033[2J.pcap";
	static char statement[] = "Host \033]0;x\a called\302\233 C:\\x";
	struct fixture f;

	setup(&f);
	f.captures[1].file = name;
	f.diagnosis.statement = statement;
	assert_lacks(text_of(&f), "\033");
	assert_lacks(text_of(&f), "\302\233");
	assert_contains(text_of(&f), "vm\\x1b[2J.pcap");
	assert_contains(text_of(&f), "Host \\x1b]0;x\\x07 called");
	assert_contains(text_of(&f), "C:\\x\n");
	teardown(&f);
}
END_TEST

START_TEST(healthy_says_what_was_checked)
{
	static char summary[] = "Everything that was tried worked.";
	struct fixture f;

	setup(&f);
	f.judgement = (struct judgement){ .verdict = VERDICT_HEALTHY,
		                          .summary = summary };
	ck_assert(strncmp(text_of(&f), "HEALTHY  Everything", 19) == 0);
	assert_contains(text_of(&f), "\nChecked    38 of 38");
	assert_lacks(text_of(&f), "Proof");
	teardown(&f);
}
END_TEST

START_TEST(inconclusive_names_the_gate_and_the_next_capture)
{
	static char command[] = "tcpdump -i vnet0 -w port.pcap";
	struct next_capture next = { "the guest's port", command,
		                     "which of the two drops it" };
	struct fixture f;

	setup(&f);
	f.diagnosis.class = RULE_CLASS_GATE;
	f.judgement.verdict = VERDICT_INCONCLUSIVE;
	f.judgement.n_diagnoses = 0;
	f.judgement.notes = &f.diagnosis;
	f.judgement.n_notes = 1;
	f.judgement.unexplained = &f.subject;
	f.judgement.n_unexplained = 1;
	f.judgement.next = &next;
	f.judgement.n_next = 1;
	ck_assert(strncmp(text_of(&f), "INCONCLUSIVE  ", 14) == 0);
	assert_contains(text_of(&f), "\n  arp-lost-vswitch   critical");
	assert_lacks(text_of(&f), "\nNote");
	assert_contains(text_of(&f), "\nOpen       arp 192.168.66.14 > "
	                             "192.168.66.20 failed");
	assert_contains(text_of(&f),
	                "\nNext       the guest's port: which of the two drops "
	                "it\n             tcpdump -i vnet0 -w port.pcap\n");
	teardown(&f);
}
END_TEST

START_TEST(json_has_the_keys_in_their_order)
{
	static const char *const keys[] = {
		"schema",   "version", "rules",        "verdict",
		"summary",  "about",   "captures",     "clock",
		"guest",    "match",   "checked",      "diagnoses",
		"symptoms", "notes",   "next_capture", "limits",
	};
	struct fixture f;
	size_t i = 0;
	const char *key;
	json_t *value, *report;

	setup(&f);
	report = json_of(&f);
	json_object_foreach(report, key, value)
	{
		ck_assert_str_eq(key, keys[i]);
		i++;
	}
	ck_assert_uint_eq(i, sizeof(keys) / sizeof(keys[0]));
	json_decref(report);
	teardown(&f);
}
END_TEST

START_TEST(json_says_null_for_what_is_not_known)
{
	struct fixture f;
	json_t *report, *captures, *clock;

	setup(&f);
	f.incident.clock.known = false;
	report = json_of(&f);
	captures = json_object_get(report, "captures");
	clock = json_object_get(report, "clock");
	ck_assert(json_is_null(json_object_get(clock, "offset_ns")));
	ck_assert(json_is_null(json_object_get(clock, "drift_ppb")));
	ck_assert(json_is_null(
		json_object_get(json_array_get(captures, 1), "first_ns")));
	ck_assert(json_is_null(
		json_object_get(json_array_get(captures, 0), "sha256")));
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_array_get(captures, 0), "file")),
	                 "dir/host.pcap");
	json_decref(report);
	teardown(&f);
}
END_TEST

START_TEST(json_absence_has_control_and_twin)
{
	struct fixture f;
	json_t *report, *evidence, *present, *absent;

	setup(&f);
	report = json_of(&f);
	evidence = json_object_get(
		json_array_get(json_object_get(report, "diagnoses"), 0),
		"evidence");
	present = json_array_get(evidence, 0);
	absent = json_array_get(evidence, 1);
	ck_assert_uint_eq(json_array_size(json_object_get(present, "frames")),
	                  6);
	ck_assert_ptr_null(json_object_get(present, "control"));
	ck_assert_int_eq(json_integer_value(json_object_get(
				 json_object_get(absent, "control"), "count")),
	                 9);
	ck_assert_str_eq(json_string_value(json_object_get(
				 json_object_get(absent, "twin"), "file")),
	                 "dir/vm.pcap");
	ck_assert_ptr_null(json_object_get(absent, "twin_reason"));
	json_decref(report);
	teardown(&f);
}
END_TEST

START_TEST(json_is_ascii_whatever_the_names)
{
	static char name[] = "\346\215\225\350\216\267\377.pcap";
	struct fixture f;
	json_t *report;

	setup(&f);
	f.captures[0].file = name;
	report = json_of(&f);
	for (size_t i = 0; i < f.out.len; i++)
		ck_assert_int_lt((unsigned char)f.out.text[i], 0x80);
	json_decref(report);
	teardown(&f);
}
END_TEST

START_TEST(subjects_are_written_as_samples_expect_them)
{
	struct subject s = { .has_dst = true,
		             .has_port = true,
		             .dst = ip("fd00::2"),
		             .port = 443,
		             .proto = "tcp" };
	struct strbuf text = { 0 };

	subject_text(&s, &text);
	ck_assert_str_eq(strbuf_text(&text), "? > [fd00::2]:443/tcp");
	strbuf_free(&text);
	s.has_src = true;
	s.src = ip("10.0.0.5");
	s.dst = ip("10.0.0.9");
	subject_text(&s, &text);
	ck_assert_str_eq(strbuf_text(&text), "10.0.0.5 > 10.0.0.9:443/tcp");
	strbuf_free(&text);
}
END_TEST

START_TEST(points_of_one_file_are_told_apart_by_name)
{
	static char inner_id[] = "host:1/vxlan7", any_id[] = "host:0/4";
	static char uplink[] = "eth0", tunnel[] = "VXLAN 7",
		    any2[] = "host:0/2";
	struct incident_point points[2];
	struct fixture f;

	setup(&f);
	points[0] = f.points[0];
	points[1] = (struct incident_point){
		.id = inner_id, .name = uplink, .tunnel = tunnel, .ifindex = -1
	};
	f.captures[0].points = points;
	f.captures[0].n_points = 2;
	f.diagnosis.place = PLACE_HOST;
	f.diagnosis.after = "host:0";
	f.diagnosis.before = "host:1/vxlan7";
	assert_contains(text_of(&f), "between br0 and eth0 inside VXLAN 7 of ");
	f.diagnosis.before = NULL;
	assert_contains(text_of(&f), "past host.pcap (br0), on the way out");
	/* an any-interface capture has numbers only */
	points[0] = (struct incident_point){ .id = any_id, .ifindex = 4 };
	points[1] = (struct incident_point){ .id = any2, .ifindex = 2 };
	f.diagnosis.after = any_id;
	f.diagnosis.before = any2;
	assert_contains(text_of(&f), "between interface 4 and interface 2 of "
	                             "host.pcap,");
	teardown(&f);
}
END_TEST

START_TEST(lines_of_prose_stay_lines)
{
	struct strbuf out = { 0 };
	const struct wrap w = { .out = &out, .width = 40 };

	wrap_field(&w, 0, "Who", 5, "one two\nthree");
	ck_assert_str_eq(strbuf_text(&out), "Who  one two\n     three\n");
	strbuf_free(&out);
}
END_TEST

START_TEST(prose_is_broken_at_the_width)
{
	struct strbuf out = { 0 };
	const struct wrap w = { .out = &out, .width = 30 };

	wrap_field(&w, 2, "Who", 6,
	           "one two three four five \344\270\200\344\272\214 seven\n"
	           "unbreakable-word-that-is-longer-than-the-line");
	ck_assert_str_eq(
		strbuf_text(&out),
		"  Who one two three four five\n"
		"      \344\270\200\344\272\214 seven\n"
		"      unbreakable-word-that-is-longer-than-the-line\n");
	strbuf_free(&out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		diagnosis_comes_first_and_is_whole,
		clock_that_is_a_bound_or_was_set,
		known_platform_gets_its_own_steps_only,
		file_names_that_are_alike_keep_their_folders,
		bytes_of_packets_and_file_names_are_escaped,
		healthy_says_what_was_checked,
		inconclusive_names_the_gate_and_the_next_capture,
		json_has_the_keys_in_their_order,
		json_says_null_for_what_is_not_known,
		json_absence_has_control_and_twin,
		json_is_ascii_whatever_the_names,
		subjects_are_written_as_samples_expect_them,
		points_of_one_file_are_told_apart_by_name,
		lines_of_prose_stay_lines,
		prose_is_broken_at_the_width,
		NULL,
	};

	return run_tests("report", tests);
}
