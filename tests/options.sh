#!/bin/sh
# What the user says and asks: --about, --why-not, --guest, --platform,
# --clock-offset.
srcdir=${srcdir:-.}
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0

fail() {
	echo "FAIL: $*"
	failed=1
}

# said NAME STATUS TEXT SAMPLE OPTION...: the output, lines joined, has TEXT
said() {
	name=$1 status=$2 text=$3 sample=$srcdir/samples/$4
	shift 4
	./pcapdiag -R "$srcdir/rules" "$@" --host "$sample"/host.* --vm "$sample"/vm.* \
		>"$dir/out" 2>"$dir/err"
	got=$?
	[ $got -eq "$status" ] || fail "$name: status $got, expected $status: $(cat "$dir/err")"
	tr -s ' \n' '  ' <"$dir/out" | grep -qF -e "$text" ||
		fail "$name: no '$text' in: $(head -n 20 "$dir/out")"
}

# refused NAME TEXT OPTION...: wrong usage, and the message has TEXT
refused() {
	name=$1 text=$2
	shift 2
	./pcapdiag -R "$srcdir/rules" "$@" "$nat"/host.* "$nat"/vm.* >"$dir/out" 2>"$dir/err"
	[ $? -eq 2 ] || fail "$name: not status 2"
	[ ! -s "$dir/out" ] || fail "$name: something on standard output"
	grep -qF -e "$text" "$dir/err" || fail "$name: no '$text' in: $(cat "$dir/err")"
}
nat=$srcdir/samples/46-nat-reply-dropped

said 'a fault' 1 'ABOUT 203.0.113.81:80: 0 of 6 connections worked: Answers of' \
	46-nat-reply-dropped -a 203.0.113.81:80
said 'its rule' 1 '"rule": "nat-return-dropped"' 46-nat-reply-dropped -f json -a 203.0.113.81
said 'what works' 1 'ABOUT 203.0.113.80:80: 6 of 6 connections worked.' \
	46-nat-reply-dropped -a 203.0.113.80:80
said 'the rest' 1 'Also seen nat-return-dropped' 46-nat-reply-dropped -a 203.0.113.80
said 'nothing' 1 'neither capture has anything to or from 10.1.2.3.' \
	46-nat-reply-dropped -a 10.1.2.3
said 'IPv6' 1 'neither capture has anything to or from 2001:db8::1.' \
	46-nat-reply-dropped -a '[2001:db8::1]:443'
said 'another port' 1 'the guest tried nothing at port 443 of 203.0.113.81' \
	46-nat-reply-dropped -a 203.0.113.81:443
said 'the outside address' 1 'ABOUT 10.0.30.10: 20 of 26 connections' \
	46-nat-reply-dropped -a 10.0.30.10
said 'two' 1 'ABOUT 10.1.2.4: neither' 46-nat-reply-dropped -a 10.1.2.3 -a 10.1.2.4
for wrong in 10.1.2 10.1.2.3:0 10.1.2.3:65536 '[10.1.2.3]:80' '[::1' ''; do
	refused "--about $wrong" "--about $wrong: must be" -a "$wrong"
done

said 'unmet' 0 'false lost.leg == responder where lost.leg = reply' \
	46-nat-reply-dropped --why-not nat-no-answer
said 'fires' 0 'it fires on 2' 46-nat-reply-dropped --why-not nat-return-dropped
refused 'unknown rule' "did you mean 'nat-return-dropped'" --why-not nat-return-droped
refused 'why-not as JSON' 'there is only text' --why-not nat-no-answer -f json

said 'platform' 1 '"platform": "hyper-v"' 46-nat-reply-dropped -f json --platform hyper-v
refused 'no such platform' 'no such platform' --platform xen
said 'guest' 1 'nat-return-dropped' 46-nat-reply-dropped --guest 172.16.122.9
refused 'no address' 'must be an IP or MAC address' --guest me
refused 'no number' 'must be a number' --clock-offset soon
said 'kinds of which nothing is known' 0 'worked; the captures cannot tell of 9 TCP connections of the guest' cap-filtered-guest
said 'clock' 1 '"offset_ns": 1500000000' arp-lost-vswitch-handoff -f json --clock-offset 1.5

said 'service' 1 '"name": "HTTP"' 46-nat-reply-dropped -f json
exit $failed
