#include "rules/next_capture.h"

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
	  "the interface" },
	{ "kvm", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap" },
	{ "esxi", CAPTURE_NEED_PORT, "the guest's switch port",
	  "pktcap-uw --switchport PORT --dir 2 --ng -o port.pcapng   # "
	  "net-stats "
	  "-l names the port" },
	{ "esxi", CAPTURE_NEED_UPLINK, "the uplink",
	  "pktcap-uw --uplink vmnic0 --dir 2 --ng -o uplink.pcapng" },
	{ "hyper-v", CAPTURE_NEED_PORT, "every component of the virtual switch",
	  "pktmon start --capture --comp all --pkt-size 0 --file-name port.etl "
	  "& pktmon stop & pktmon etl2pcap port.etl --out port.pcapng" },
	{ "hyper-v", CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "pktmon start --capture --comp nics --pkt-size 0 --file-name "
	  "uplink.etl & pktmon stop & pktmon etl2pcap uplink.etl --out "
	  "uplink.pcapng" },
	{ "virtualbox", CAPTURE_NEED_PORT, "the guest's virtual NIC",
	  "VBoxManage modifyvm VM --nictrace1 on --nictracefile1 port.pcap   # "
	  "VM powered off" },
	{ "vmware-workstation", CAPTURE_NEED_PORT, "the virtual network",
	  "vmnet-sniffer -e -w port.pcap /dev/vmnet8   # /dev/vmnet0 if "
	  "bridged; "
	  "Windows: capture on the VMnet8 adapter" },
	{ "cloud", CAPTURE_NEED_PORT, "the guest's network interface",
	  "turn on VPC traffic mirroring or a packet capture of the instance's "
	  "network interface" },
	{ "cloud", CAPTURE_NEED_UPLINK, "the subnet",
	  "turn on flow logs for the subnet and look for REJECT records" },
	{ NULL, CAPTURE_NEED_PORT, "the guest's port of the virtual switch",
	  "tcpdump -i vnet0 -s 0 -w port.pcap   # the interface that leads to "
	  "the guest" },
	{ NULL, CAPTURE_NEED_UPLINK, "the host's physical NIC",
	  "tcpdump -i eth0 -s 0 -w uplink.pcap   # Windows: dumpcap -i 1 -w "
	  "uplink.pcapng" },
	{ NULL, CAPTURE_NEED_GUEST, "inside the guest",
	  "tcpdump -i any -s 0 -w vm.pcap   # Windows: pktmon start --capture "
	  "--pkt-size 0 --file-name vm.etl" },
};

#define N_RECIPES (sizeof(recipes) / sizeof(recipes[0]))

static const char *const settles[CAPTURE_NEED_COUNT] = {
	[CAPTURE_NEED_GUEST] =
		"whether the packets leave and reach the guest at all",
	[CAPTURE_NEED_PORT] =
		"whether they are lost at the guest's NIC or in the host",
	[CAPTURE_NEED_UPLINK] =
		"whether they are lost in the host or beyond it",
};

static bool is_for(const struct recipe *r, const char *platform)
{
	if (!r->platform || !platform)
		return r->platform == platform;
	return strcmp(r->platform, platform) == 0;
}

static void add(struct judgement *j, const struct recipe *r)
{
	for (size_t i = 0; i < j->n_next; i++)
		if (strcmp(j->next[i].command, r->command) == 0)
			return;
	j->next = xreallocarray(j->next, j->n_next + 1, sizeof(*j->next));
	j->next[j->n_next++] = (struct next_capture){
		.point = r->point,
		.command = text_copy(r->command),
		.settles = settles[r->need],
	};
}

static bool add_all(struct judgement *j, const char *platform,
                    enum capture_need need)
{
	bool found = false;

	for (size_t i = 0; i < N_RECIPES; i++) {
		if (recipes[i].need != need || !is_for(&recipes[i], platform))
			continue;
		add(j, &recipes[i]);
		found = true;
	}
	return found;
}

void next_capture_add(struct judgement *j, const struct incident *incident,
                      enum capture_need need)
{
	if (!incident->platform || !add_all(j, incident->platform, need))
		(void)add_all(j, NULL, need);
}
