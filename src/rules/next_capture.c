#include "rules/next_capture.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xalloc.h"

/**
 * struct recipe - How to capture somewhere
 * @platform:	NULL: any that has no row of its own
 */
struct recipe {
	const char *platform;
	enum capture_need need;
	const char *point;
	const char *command;
};

static const struct recipe recipes[] = {
	{ "kvm", CAPTURE_NEED_PORT, "the guest's tap on the host",
	  "tcpdump -i vnet0 -s 0 -w port.pcap   # virsh domiflist GUEST names "
	  "the interface; Proxmox: tapIDi0" },
	{ "kvm", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap" },
	{ "esxi", CAPTURE_NEED_PORT, "the guest's switch port",
	  "pktcap-uw --switchport PORT --dir 2 --ng -o port.pcapng   # "
	  "net-stats -l names the port" },
	{ "esxi", CAPTURE_NEED_UPLINK, "the uplink",
	  "pktcap-uw --uplink vmnic0 --dir 2 --ng -o uplink.pcapng" },
	{ "hyper-v", CAPTURE_NEED_PORT, "every component of the virtual switch",
	  "pktmon start --capture --comp all --pkt-size 0 --file-name port.etl "
	  "  # then: pktmon stop; pktmon etl2pcap port.etl --out port.pcapng" },
	{ "hyper-v", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "pktmon start --capture --comp nics --pkt-size 0 --file-name "
	  "uplink.etl   # then: pktmon stop; pktmon etl2pcap uplink.etl --out "
	  "uplink.pcapng" },
	{ "virtualbox", CAPTURE_NEED_PORT, "the guest's virtual NIC",
	  "VBoxManage modifyvm GUEST --nictrace1 on --nictracefile1 port.pcap "
	  "  # the guest powered off; nictrace2 for its second NIC" },
	{ "virtualbox", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap   # Windows: dumpcap -i "
	  "Ethernet "
	  "-w uplink.pcapng" },
	{ "vmware-workstation", CAPTURE_NEED_PORT, "the virtual network",
	  "vmnet-sniffer -e -w port.pcap /dev/vmnet8   # /dev/vmnet0 if "
	  "bridged, /dev/vmnet1 if host-only; Windows: dumpcap -i \"VMware "
	  "Network Adapter VMnet8\" -w port.pcapng" },
	{ "vmware-workstation", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap   # Windows: dumpcap -i "
	  "Ethernet "
	  "-w uplink.pcapng" },
	{ "cloud", CAPTURE_NEED_PORT, "the guest's network interface",
	  "az network watcher packet-capture create -g GROUP --vm GUEST -n "
	  "port "
	  "--storage-account ACCOUNT   # AWS: aws ec2 "
	  "create-traffic-mirror-session; GCP: gcloud compute "
	  "packet-mirrorings create" },
	{ "cloud", CAPTURE_NEED_UPLINK, "the subnet",
	  "aws ec2 create-flow-logs --resource-type Subnet --resource-ids "
	  "SUBNET "
	  "--traffic-type REJECT --log-group-name LOGS "
	  "--deliver-logs-permission-arn ROLE   # Azure: az network watcher "
	  "flow-log create; GCP: gcloud compute networks subnets update SUBNET "
	  "--enable-flow-logs" },
	{ NULL, CAPTURE_NEED_PORT, "the guest's port of the virtual switch",
	  "tcpdump -i vnet0 -s 0 -w port.pcap   # the interface that leads to "
	  "the guest" },
	{ NULL, CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap   # Windows: dumpcap -i "
	  "Ethernet "
	  "-w uplink.pcapng" },
	{ NULL, CAPTURE_NEED_GUEST, "inside the guest",
	  "tcpdump -i any -s 0 -w vm.pcap   # Windows: pktmon start --capture "
	  "--pkt-size 0 --file-name vm.etl; pktmon stop; pktmon etl2pcap "
	  "vm.etl --out vm.pcapng" },
	{ NULL, CAPTURE_NEED_PEER, "the other end",
	  "tcpdump -i any -s 0 -w peer.pcap   # Windows: pktmon start "
	  "--capture "
	  "--pkt-size 0 --file-name peer.etl; pktmon stop; pktmon etl2pcap "
	  "peer.etl --out peer.pcapng" },
};

#define N_RECIPES (sizeof(recipes) / sizeof(recipes[0]))

static const char *const settles[CAPTURE_NEED_COUNT] = {
	[CAPTURE_NEED_GUEST] =
		"whether the packets leave and reach the guest at all",
	[CAPTURE_NEED_PORT] =
		"whether they are lost at the guest's NIC or in the host",
	[CAPTURE_NEED_UPLINK] =
		"whether they are lost in the host or beyond it",
	[CAPTURE_NEED_PEER] =
		"whether the packets reach the other end, and what it answers",
};

static bool is_for(const struct recipe *r, const char *platform)
{
	if (!r->platform || !platform)
		return r->platform == platform;
	return strcmp(r->platform, platform) == 0;
}

static struct next_capture *find(struct judgement *j, const char *command)
{
	for (size_t i = 0; i < j->n_next; i++)
		if (strcmp(j->next[i].command, command) == 0)
			return &j->next[i];
	return NULL;
}

/* One capture may settle several things. */
static void add(struct judgement *j, const struct recipe *r,
                const char *settled)
{
	struct next_capture *next = find(j, r->command);
	char *both;

	if (!next) {
		j->next =
			xreallocarray(j->next, j->n_next + 1, sizeof(*j->next));
		j->next[j->n_next++] = (struct next_capture){
			.point = r->point,
			.command = text_copy(r->command),
			.settles = text_copy(settled),
		};
	} else if (!strstr(next->settles, settled)) {
		both = text_format("%s; %s", next->settles, settled);
		free(next->settles);
		next->settles = both;
	}
}

static bool add_all(struct judgement *j, const char *platform,
                    enum capture_need need, const char *settled)
{
	bool found = false;

	for (size_t i = 0; i < N_RECIPES; i++) {
		if (recipes[i].need != need || !is_for(&recipes[i], platform))
			continue;
		add(j, &recipes[i], settled);
		found = true;
	}
	return found;
}

static void ask(struct judgement *j, const struct incident *incident,
                enum capture_need need, const char *settled)
{
	if (!incident->platform ||
	    !add_all(j, incident->platform, need, settled))
		(void)add_all(j, NULL, need, settled);
}

static bool has_capture(const struct incident *incident, enum capture_role role)
{
	for (size_t i = 0; i < incident->n_captures; i++)
		if (incident->captures[i].role == role)
			return true;
	return false;
}

static bool has_point(const struct incident *incident, enum point_kind kind)
{
	for (size_t i = 0; i < incident->n_captures; i++)
		for (size_t k = 0; k < incident->captures[i].n_points; k++)
			if (incident->captures[i].points[k].kind == kind)
				return true;
	return false;
}

/* Where somebody has to look who doubts what happens at @place */
static enum capture_need need_at(const struct incident *incident, int place)
{
	bool port = has_point(incident, POINT_KIND_GUEST_PORT);

	switch ((enum place)place) {
	case PLACE_GUEST:
	case PLACE_CAPTURE:
		return has_capture(incident, CAPTURE_ROLE_VM)
		               ? CAPTURE_NEED_PORT
		               : CAPTURE_NEED_GUEST;
	case PLACE_GUEST_HOST_PATH:
		return CAPTURE_NEED_PORT;
	case PLACE_HOST:
	case PLACE_NAT:
		return port ? CAPTURE_NEED_UPLINK : CAPTURE_NEED_PORT;
	case PLACE_BEYOND_HOST:
		break;
	}
	return has_point(incident, POINT_KIND_UPLINK) ? CAPTURE_NEED_PEER
	                                              : CAPTURE_NEED_UPLINK;
}

static bool is_split(const struct fact *fact)
{
	struct value split;

	if (!(FACT_KIND_BIT(fact->kind) & FACT_KINDS_EXCHANGE))
		return false;
	split = fact_get(fact, FIELD_LOST_SPLIT);
	return split.state == VALUE_KNOWN && split.lo;
}

static void ask_about(struct judgement *j, const struct incident *incident,
                      const struct finding *f)
{
	char *settled;

	if (is_split(facts_get(incident->facts, f->fact)))
		ask(j, incident, CAPTURE_NEED_PORT, settles[CAPTURE_NEED_PORT]);
	for (size_t i = 0; i < f->rule->n_unless; i++) {
		if (i >= 64 || !(f->not_excluded & UINT64_C(1) << i))
			continue;
		settled = text_format("whether it is %s rather than %s",
		                      f->rule->unless[i].rule, f->rule->id);
		ask(j, incident, need_at(incident, f->place), settled);
		free(settled);
	}
}

/* What is there need not be taken again. */
static void ask_beyond(struct judgement *j, const struct incident *incident,
                       bool mismatch)
{
	bool port = !mismatch && has_point(incident, POINT_KIND_GUEST_PORT);
	bool uplink = !mismatch && has_point(incident, POINT_KIND_UPLINK);

	if (!port)
		ask(j, incident, CAPTURE_NEED_PORT, settles[CAPTURE_NEED_PORT]);
	if (!uplink)
		ask(j, incident, CAPTURE_NEED_UPLINK,
		    settles[CAPTURE_NEED_UPLINK]);
	if (port && uplink)
		ask(j, incident, CAPTURE_NEED_PEER, settles[CAPTURE_NEED_PEER]);
}

void next_captures_add(struct judgement *j, const struct incident *incident,
                       const struct findings *findings, bool mismatch)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *f = &findings->all[i];

		if (f->parent == FINDING_NONE &&
		    f->ruling->class == RULE_CLASS_FAULT)
			ask_about(j, incident, f);
	}
	if (j->verdict != VERDICT_INCONCLUSIVE && j->n_next == 0)
		return;
	if (!has_capture(incident, CAPTURE_ROLE_VM) || mismatch)
		ask(j, incident, CAPTURE_NEED_GUEST,
		    settles[CAPTURE_NEED_GUEST]);
	if (j->verdict == VERDICT_INCONCLUSIVE)
		ask_beyond(j, incident, mismatch);
	else if (!has_capture(incident, CAPTURE_ROLE_HOST))
		ask(j, incident, CAPTURE_NEED_UPLINK,
		    settles[CAPTURE_NEED_UPLINK]);
}

void next_capture_free(struct next_capture *next)
{
	free(next->command);
	free(next->settles);
}
