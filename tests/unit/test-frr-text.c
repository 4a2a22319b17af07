/* tests/unit/test-frr-text.c -- FRRouting's configuration as text: what is noise, what has no order, what is secret. */
#include "tests/test.h"
#include "tests/unit/masked.h"

#include "agent/device.h"
#include "policies/frr-text.h"
#include "agent/snapshot.h"
#include "base/fs.h"

#include <stdlib.h>

static void check_canonical(const char *in, const char *want)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	frr_canonical(&once, bytes_str(in));
	CHECK_STR(buf_text(&once), want);
	frr_canonical(&twice, buf_bytes(&once));
	CHECK_STR(buf_text(&twice), want);
}

TEST(header_comments_blanks_version_host_name_and_end_are_noise)
{
	check_canonical("Building configuration...\n\nCurrent configuration:\n!\nfrr version 8.4.4\nfrr defaults traditional\nhostname r1\n"
			"log syslog \n hostname kept\nhostname vm\nservice integrated-vtysh-config\n!\n# by hand\n  ! and this\n\n "
			"\t\nrouter rip\r\n"
			" network eth0  \nexit\n!\nend\n",
			"frr defaults traditional\nlog syslog\n hostname kept\nrouter rip\n network eth0\nexit\n");
}

TEST(nothing_and_a_line_without_its_end_have_a_form_too)
{
	check_canonical("", "");
	check_canonical("\n\n", "");
	check_canonical("ip route 1.2.3.4/32 Null0", "ip route 1.2.3.4/32 Null0\n");
}

TEST(an_interface_without_settings_says_nothing)
{
	check_canonical("interface a\nexit\n!\ninterface b\n description x\nexit\ninterface c\n! only a comment\nexit\n",
			"interface b\n description x\nexit\n");
	check_canonical("interface a\ninterface b\nexit\nexit\n", "");
	check_canonical("exit\nrouter rip\nexit\nexit\n", "exit\nrouter rip\nexit\nexit\n");
}

TEST(lists_and_maps_are_in_order_of_their_names_and_their_own_lines_stay)
{
	check_canonical("access-list B seq 5 permit any\naccess-list A seq 10 deny any\naccess-list B seq 1 deny any\n"
			"access-list A seq 5 permit any\n",
			"access-list A seq 10 deny any\naccess-list A seq 5 permit any\naccess-list B seq 5 permit any\n"
			"access-list B seq 1 deny any\n");
	check_canonical("route-map B permit 10\n match x\nexit\n!\nroute-map A deny 5\nexit\nroute-map B permit 5\n set y\nexit\n",
			"route-map A deny 5\nexit\nroute-map B permit 10\n match x\nexit\nroute-map B permit 5\n set y\nexit\n");
	check_canonical("key chain Z\n key 1\n  key-string q\n exit\nexit\nkey chain K\nexit\n",
			"key chain K\nexit\nkey chain Z\n key 1\n  key-string q\n exit\nexit\n");
}

TEST(kinds_do_not_mix_and_what_stands_between_parts_them)
{
	check_canonical("ip prefix-list B seq 5 permit any\nip route 1.2.3.4/32 Null0\nip prefix-list A seq 5 permit any\n",
			"ip prefix-list B seq 5 permit any\nip route 1.2.3.4/32 Null0\nip prefix-list A seq 5 permit any\n");
	check_canonical("ipv6 access-list B seq 5 permit any\naccess-list A seq 5 permit any\n",
			"ipv6 access-list B seq 5 permit any\naccess-list A seq 5 permit any\n");
}

TEST(a_block_whose_end_is_not_written_stays_where_it_is)
{
	/* unindented, as somebody may write it by hand: "match x" belongs to A */
	check_canonical("route-map B permit 10\nroute-map A permit 10\nmatch x\n",
			"route-map B permit 10\nroute-map A permit 10\nmatch x\n");
	check_canonical("route-map B permit 10\n match x\nroute-map A permit 10\n match y\n",
			"route-map B permit 10\n match x\nroute-map A permit 10\n match y\n");
}

TEST(the_order_of_addresses_neighbors_and_statements_counts)
{
	static const char text[] = "router bgp 1\n neighbor B remote-as 2\n neighbor A remote-as 2\nexit\nip route 2.0.0.0/8 Null0\n"
				   "ip route 1.0.0.0/8 Null0\n";

	check_canonical(text, text);
}

/* ---- secrets ---- */

static void check_masked(const char *in, const char *want)
{
	check_masked_by(frr_secrets, "<>", in, want);
}

TEST(the_secret_of_every_command_that_takes_one_is_found)
{
	static const char *const lines[][2] = {
		{ "password hunter2", "password <>" },
		{ "password 8 Xy1.abc", "password <>" },
		{ "enable password a b  c", "enable password <>" },
		{ " ip ospf authentication-key abc", " ip ospf authentication-key <>" },
		{ " ip ospf authentication-key abc 10.0.0.1", " ip ospf authentication-key <>" },
		{ " ip ospf message-digest-key 1 md5 abc", " ip ospf message-digest-key 1 md5 <>" },
		{ " ip ospf message-digest-key 1 md5 abc 10.0.0.1", " ip ospf message-digest-key 1 md5 <>" },
		{ " area 1 virtual-link 10.0.0.9 message-digest-key 1 md5 abc",
		  " area 1 virtual-link 10.0.0.9 message-digest-key 1 md5 <>" },
		{ " area 1 virtual-link 10.0.0.9 authentication message-digest message-digest-key 1 md5 abc",
		  " area 1 virtual-link 10.0.0.9 authentication message-digest message-digest-key 1 md5 <>" },
		{ " area 1 virtual-link 10.0.0.9 authentication authentication-key abc",
		  " area 1 virtual-link 10.0.0.9 authentication authentication-key <>" },
		{ " ipv6 ospf6 authentication key-id 1 hash-algo md5 key abc", " ipv6 ospf6 authentication key-id 1 hash-algo md5 key <>" },
		{ " ip rip authentication string abc", " ip rip authentication string <>" },
		{ "  key-string abc def", "  key-string <>" },
		{ " isis password clear abc", " isis password clear <>" },
		{ " isis password md5 abc", " isis password md5 <>" },
		{ " openfabric password clear abc", " openfabric password clear <>" },
		{ " area-password md5 abc authenticate snp validate", " area-password md5 <>" },
		{ " domain-password clear abc", " domain-password clear <>" },
		{ " neighbor 10.0.0.1 password abc", " neighbor 10.0.0.1 password <>" },
		{ " neighbor 2001:db8::1 password abc def", " neighbor 2001:db8::1 password <>" },
		{ " ip nhrp authentication abc", " ip nhrp authentication <>" },
		{ " ip msdp peer 1.2.3.4 source 1.2.3.5 password abc", " ip msdp peer 1.2.3.4 source 1.2.3.5 password <>" },
		{ "   tcp-md5-auth abc", "   tcp-md5-auth <>" },
		{ "snmp-server community public ro", "snmp-server community <>" },
		{ "some future secret abc", "some future secret <>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i][0], lines[i][1]);
}

TEST(keywords_may_be_cut_short_as_frr_permits)
{
	static const char *const lines[][2] = {
		{ "pass hunter2", "pass <>" },
		{ "enable pa hunter2", "enable pa <>" },
		{ " ip ospf me 1 md5 abc", " ip ospf me 1 md5 <>" },
		{ " ip ospf message-d 1 md5 abc", " ip ospf message-d 1 md5 <>" },
		{ " ip ospf auth abc", " ip ospf auth <>" },
		{ " ip ospf authentication- abc", " ip ospf authentication- <>" },
		{ " ip rip authentication s abc", " ip rip authentication s <>" },
		{ "  key-s abc", "  key-s <>" },
		{ " ipv6 ospf6 authentication key-i 1 hash md5 k abc", " ipv6 ospf6 authentication key-i 1 hash md5 k <>" },
		{ " domain-p clear abc", " domain-p clear <>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i][0], lines[i][1]);
}

TEST(what_is_no_secret_stays_readable)
{
	static const char *const lines[] = {
		"service password-encryption",
		" ip ospf authentication message-digest",
		" ip ospf authentication message-digest 10.0.0.1",
		" ip ospf authentication null",
		" area 0 authentication message-digest",
		" ip rip authentication mode md5 auth-length rfc",
		" ip rip authentication key-chain K",
		" ip authentication key-chain eigrp 7 K",
		" ipv6 ospf6 authentication keychain K",
		"key chain K",
		" key 1",
		"  cryptographic-algorithm md5",
		" neighbor 10.0.0.1 passive",
		" no neighbor 10.0.0.1 password",
		"bgp community-list standard CL seq 5 permit 65001:100",
		" set community 65001:100 additive",
		" message-digest-key",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i], lines[i]);
}

TEST(of_many_lines_each_secret_is_found_and_line_ends_stay)
{
	check_masked("password a\r\nhostname b\n!\n neighbor x password  c \t\n\nenable password d",
		     "password <>\r\nhostname b\n!\n neighbor x password  <> \t\n\nenable password <>");
}

TEST(a_line_with_more_words_than_we_look_at_is_all_secret)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	for (int i = 0; i < 100; i++)
		buf_add_str(&line, " w");
	buf_add_str(&line, " password hunter2");
	check_masked(buf_text(&line), " <>");
}

/* ---- split and put back ---- */

static void join(struct buf *out, struct bytes text, const struct secret_table *table)
{
	while (text.len) {
		const uint8_t *at = memmem(text.ptr, text.len, "{{secret ", 9);
		char token[17] = { 0 };
		size_t i = 0;

		buf_add(out, text.ptr, at ? (size_t)(at - text.ptr) : text.len);
		if (!at)
			return;
		text = bytes_from(text, (size_t)(at - text.ptr));
		CHECK(text.len >= 27 && !memcmp(text.ptr + 25, "}}", 2));
		memcpy(token, text.ptr + 9, 16);
		while (i < table->count && strcmp(table->entries[i].token, token) != 0)
			i++;
		CHECK(i < table->count);
		buf_add_bytes(out, table->entries[i].value);
		text = bytes_from(text, 27);
	}
}

static void check_split(struct bytes text)
{
	static const uint8_t key[SNAPSHOT_TOKEN_KEY_LEN] = { 7 };
	_cleanup_(secret_table_done) struct secret_table table = { 0 };
	_cleanup_(buf_done) struct buf split = { 0 }, back = { 0 };

	secrets_split(&split, &table, &driver_frr, key, text);
	for (size_t i = 1; i < table.count; i++)
		CHECK(strcmp(table.entries[i - 1].token, table.entries[i].token) < 0);
	join(&back, buf_bytes(&split), &table);
	CHECK(bytes_equal(buf_bytes(&back), text));
}

TEST(split_and_put_back_is_the_text_of_before)
{
	check_split(bytes_str(""));
	check_split(bytes_str("password a\npassword b\nenable password a\n"));
	check_split(bytes_str("description {{secret 0123456789abcdef}}\n"));
	check_split(bytes_str("{{secret "));
	check_split(bytes_str("{{secret {{secret 0123456789abcdef}} password x\npassword {{secret y\n"));
	check_split(bytes_str("x {{secret 012345 password hunter2\n password p {{secret 0123456789abcdef}}\n{{secret 0123456789abcde"));
}

TEST(random_text_keeps_both_promises)
{
	static const char *const bits[] = {
		"password ", "{{secret ", "0123456789abcdef", "}}", "\n", " ", "interface x\n", "exit\n", "route-map A permit 5\n",
		"access-list B permit any\n", "access-list A permit any\n", "hostname y\n", "!\n", "key-string ", "a", " b\n",
	};
	unsigned seed = 1;

	for (int i = 0; i < 3000; i++) {
		_cleanup_(buf_done) struct buf text = { 0 }, once = { 0 }, twice = { 0 };
		int parts = rand_r(&seed) % 30;

		for (int k = 0; k < parts; k++)
			buf_add_str(&text, bits[(size_t)rand_r(&seed) % ARRAY_SIZE(bits)]);
		check_split(buf_bytes(&text));
		frr_canonical(&once, buf_bytes(&text));
		frr_canonical(&twice, buf_bytes(&once));
		CHECK(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	}
}

TEST(changed_lines_are_counted_as_diff_counts_them)
{
	static const struct {
		const char *before, *after;
		uint64_t added, removed;
	} cases[] = {
		{ "", "", 0, 0 },
		{ "", "a\nb\n", 2, 0 },
		{ "a\nb\n", "", 0, 2 },
		{ "a\nb\nc\n", "a\nx\nc\n", 1, 1 },
		{ "a\nb\nc\n", "a\nc\n", 0, 1 },
		{ "a\nb\nc\nd\ne\n", "e\nd\nc\nb\na\n", 4, 4 },
		{ "a\na\na\n", "a\na\n", 0, 1 },
		{ "a\nb\nc\nd\n", "b\nx\nd\ny\n", 2, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t added = 99, removed = 99;

		lines_changed(&added, &removed, bytes_str(cases[i].before), bytes_str(cases[i].after));
		CHECK_EQ(added, cases[i].added);
		CHECK_EQ(removed, cases[i].removed);
	}
}
