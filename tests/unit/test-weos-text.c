/* tests/unit/test-weos-text.c -- the configuration of WeOS: what is noise, what is structure, what is secret, what a device is not given.
 */
#include "tests/test.h"
#include "tests/unit/masked.h"

#include "policies/weos-text.h"

static const char four[] = "# \\\\/ Westermo WeOS v4.32.3, CLI Format v1.32\n"
			   "# Lynx L110-F2G, art.no. 3643-0105 ser.no. 16001\n"
			   "\n"
			   "aaa\n\tusername admin hash $1$abcdefgh$0123456789abcdefghijk.\n\tend\n\n"
			   "system\n\thostname sw1  \n\tend\n\n"
			   "no spanning-tree\n\n"
			   "ntp\n\tserver pool.ntp.org\n\t\tend\n\tend\n";

static void check_canonical(const char *in, const char *want)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	weos_canonical(&once, bytes_str(in));
	CHECK_STR(buf_text(&once), want);
	weos_canonical(&twice, buf_bytes(&once));
	CHECK_STR(buf_text(&twice), want);
}

TEST(header_blank_lines_and_trailing_blanks_are_noise_and_ends_stay)
{
	check_canonical(four, "aaa\n\tusername admin hash $1$abcdefgh$0123456789abcdefghijk.\n\tend\nsystem\n\thostname sw1\n\tend\n"
			      "no spanning-tree\nntp\n\tserver pool.ntp.org\n\t\tend\n\tend\n");
}

TEST(indentation_is_structure_however_it_is_written)
{
	static const char want[] = "alarm\n\ttrigger 1 link-alarm\n\t\tport 1-2\n\t\tend\n\tend\nvlan 1\n\tname a\n\tend\n";

	check_canonical("alarm\n        trigger 1 link-alarm\n                port 1-2\n                end\n        end\nvlan 1\n  name "
			"a\n  end\n",
			want);
	check_canonical("alarm\r\n  trigger 1 link-alarm\r\n    port 1-2\r\nvlan 1\r\n  name a\r\n", want);
}

TEST(an_end_that_closes_nothing_says_nothing)
{
	check_canonical("end\nvlan 1\nend\n\tend\n\tend\nend\n", "vlan 1\n");
	check_canonical("vlan 1\n\tend\n\tend\n", "vlan 1\n\tend\n");
	check_canonical("", "");
	check_canonical("# only a comment", "");
}

TEST(blocks_inside_each_other_have_a_bound)
{
	_cleanup_(buf_done) struct buf deep = { 0 }, once = { 0 }, twice = { 0 };

	for (unsigned i = 0; i < 3 * WEOS_DEPTH_MAX; i++) {
		for (unsigned k = 0; k < i; k++)
			buf_add_char(&deep, ' ');
		buf_add_str(&deep, "x\n");
	}
	weos_canonical(&once, buf_bytes(&deep));
	weos_canonical(&twice, buf_bytes(&once));
	CHECK_STR(buf_text(&twice), buf_text(&once));
}

TEST(a_document_of_json_stays_as_it_is_but_for_blanks_at_the_ends)
{
	check_canonical("# WeOS v5\n{  \n  \"system\": {\r\n\n    \"hostname\": \"sw1\"\n  }\n}\n\n",
			"{\n  \"system\": {\n    \"hostname\": \"sw1\"\n  }\n}\n");
	CHECK(weos_is_json(bytes_str("\n# x\n  {")));
	CHECK(!weos_is_json(bytes_str(four)));
	CHECK(!weos_is_json(bytes_str("")));
}

TEST(only_a_footer_with_a_rule_and_a_file_is_taken_for_one)
{
	CHECK_BYTES(weos_without_footer(bytes_str("vlan 1\n\tend\n\n\n______________\ncfg://config0.cfg  Jan 1 00:00\n")),
		    "vlan 1\n\tend\n");
	CHECK_BYTES(weos_without_footer(bytes_str("vlan 1\n\n\n______________\r\n cfg://config0.cfg  Jan 1 00:00")), "vlan 1\n");
	CHECK_BYTES(weos_without_footer(bytes_str("vlan 1\ncfg://config0.cfg\n")), "vlan 1\ncfg://config0.cfg\n");
	CHECK_BYTES(weos_without_footer(bytes_str("______________\ncfg://config0.cfg\n")), "");
	CHECK_BYTES(weos_without_footer(bytes_str("")), "");
}

TEST(what_the_device_logs_is_known_by_its_shape)
{
	CHECK(weos_is_log(bytes_str("Nov 25 10:00:01 sw1 kernel: eth1 up")));
	CHECK(weos_is_log(bytes_str("Nov  5 10:00:01 sw1 kernel: eth1 up")));
	CHECK(weos_is_log(bytes_str("<134>1 2026-11-25T10:00:01Z")));
	CHECK(weos_is_log(bytes_str("2026-11-25T10:00:01Z sw1")));
	CHECK(weos_is_log(bytes_str("[   12.345678] eth1: link up")));
	CHECK(!weos_is_log(bytes_str("vlan 1")));
	CHECK(!weos_is_log(bytes_str("[abc] x")));
	CHECK(!weos_is_log(bytes_str("")));
}

TEST(the_way_secrets_are_encrypted_is_warned_of)
{
	CHECK_EQ(weos_warnings(bytes_str("system\n\tencrypt-secrets portable\n\tend\n")), WEOS_KEY_PORTABLE);
	CHECK_EQ(weos_warnings(bytes_str("system\n\tencrypt-secrets hwuid\n\tend\n")), WEOS_KEY_HWUID);
	CHECK_EQ(weos_warnings(bytes_str("{\n \"system\": {\n  \"encrypt-secrets\": \"hwuid\"\n }\n}\n")), WEOS_KEY_HWUID);
	CHECK_EQ(weos_warnings(bytes_str("system\n\tencrypt-secrets password\n\tno encrypt-secrets portable\n# encrypt-secrets hwuid\n")),
		 0);
	CHECK(strstr(weos_warning_text(WEOS_KEY_HWUID), "spare"));
	CHECK(strstr(weos_warning_text(WEOS_KEY_PORTABLE), "one key"));
}

TEST(a_change_of_the_encryption_password_is_known)
{
	CHECK(weos_is_encryption(bytes_str("encrypt-password abc")));
	CHECK(weos_is_encryption(bytes_str("  do encrypt-password abc")));
	CHECK(!weos_is_encryption(bytes_str("encrypt-secrets password")));
	CHECK(!weos_is_encryption(bytes_str("")));
}

/* ---- secrets ---- */

static void check_masked(const char *in, const char *want)
{
	check_masked_by(weos_secrets, "<>", in, want);
}

TEST(the_secret_of_every_command_that_takes_one_is_found)
{
	static const char *const lines[][2] = {
		{ "aaa\n\tusername admin hash $1$ab$cd\n\tend\n", "aaa\n\tusername admin hash <>\n\tend\n" },
		{ "aaa\n\tuser admin\n\t\tpassword alg sha512 secret hunter2\n", "aaa\n\tuser admin\n\t\tpassword alg sha512 secret <>\n" },
		{ "aaa\n\tpassword hunter2\n", "aaa\n\tpassword <>\n" },
		{ "snmp-server\n\trocommunity public\n\trwcommunity a b\n", "snmp-server\n\trocommunity <>\n\trwcommunity <>\n" },
		{ "snmp-server\n\trouser u auth sha x crypt aes y\n", "snmp-server\n\trouser <>\n" },
		{ "aaa\n\tremote-server 1\n\t\tshared-secret abc\n", "aaa\n\tremote-server 1\n\t\tshared-secret <>\n" },
		{ "iface wl0\n\tpsk abc\n\tssl-key 12\n", "iface wl0\n\tpsk <>\n\tssl-key <>\n" },
		{ "snmp-server rocommunity public\n", "snmp-server rocommunity <>\n" },
		{ "no snmp-server rocommunity public\n", "no snmp-server rocommunity <>\n" },
		{ "encrypt-password abc\n", "encrypt-password <>\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i][0], lines[i][1]);
}

TEST(a_hash_a_key_or_a_token_is_found_wherever_it_stands)
{
	static const char *const lines[][2] = {
		{ "web\n\tfoo $5$salt$abcd more\n", "web\n\tfoo <>\n" },
		{ "web\n\tfoo {aes}AbCd\n", "web\n\tfoo <>\n" },
		{ "web\n\tfoo 00112233445566778899aabbccddeeff\n", "web\n\tfoo <>\n" },
		{ "web\n\tfoo bar enc:AbCd\n", "web\n\tfoo bar <>\n" },
		{ "web\n\tfoo \"bXlzZWNyZXRrZXkxMjM0NTY=\"\n", "web\n\tfoo <>\n" },
		{ "web\n-----BEGIN PRIVATE KEY-----\nabc\n\n-----END PRIVATE KEY-----\n\tport 80\n", "web\n<>\n<>\n\n<>\n\tport 80\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i][0], lines[i][1]);
}

TEST(of_a_section_that_nobody_knows_only_the_first_words_are_told)
{
	check_masked("ipsec\n\ttunnel a\n\t\tno foo bar\n\t\tend\n\tend\nvlan 1\n\tname a\n\tend\n",
		     "ipsec\n\ttunnel <>\n\t\tno foo <>\n\t\tend\n\tend\nvlan 1\n\tname a\n\tend\n");
	check_masked("no ipsec\nnew-thing a b\n\tx y\n", "no ipsec\nnew-thing <>\n\tx <>\n");
	check_masked("\tinside of what?\n# a comment with a secret\n", "\tinside <>\n<>\n");
}

TEST(what_is_no_secret_stays_readable)
{
	static const char *const lines[] = {
		"system\n\thostname viper-65-f7-e0\n\tencrypt-secrets password\n\tlocation Building 12, floor 3\n\tend\n",
		"vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\n",
		"iface vlan1 inet dhcp\n\taddress 192.0.2.10/24 secondary\n\tmanagement ssh https snmp\n\tend\n",
		"aaa\n\tuser-admin\n\t\tno password\n\t\tend\n\tend\n",
		"port 3-10\n\tspeed-duplex auto\n\tend\nno spanning-tree\n",
		"logging\n\tserver 2001:db8:1111:2222:3333:4444:5555:6666\n\tend\n",
		"frnt 1 focal-point\nno system location\nsystem hostname a-b\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		check_masked(lines[i], lines[i]);
}

TEST(in_json_the_same_rules_hold)
{
	check_masked("{\n  \"system\": {\n    \"hostname\": \"sw1\",\n    \"encrypt-secrets\": \"portable\"\n  },\n"
		     "  \"aaa\": {\"users\": [{\"name\": \"admin\", \"hash\": \"$6$a$b\"}], \"radius-secret\": {\"a\": 17, \"b\": "
		     "[\"c\"]}, \"n\": 1},\n"
		     "  \"ipsec\": {\"x\": \"y\", \"on\": true},\n  \"web\": {\"x\": \"{aes}Zm9v\", \"port\": 80}\n}\n",
		     "{\n  \"system\": {\n    \"hostname\": \"sw1\",\n    \"encrypt-secrets\": \"portable\"\n  },\n"
		     "  \"aaa\": {\"users\": [{\"name\": \"admin\", \"hash\": \"<>\"}], \"radius-secret\": {\"a\": <>, \"b\": [\"<>\"]}, "
		     "\"n\": 1},\n"
		     "  \"ipsec\": {\"x\": \"<>\", \"on\": <>},\n  \"web\": {\"x\": \"<>\", \"port\": 80}\n}\n");
	check_masked("{\"aaa\": {\"password\": \"a\\\"b\"", "{\"aaa\": {\"password\": \"<>\"");
	check_masked("{\"aaa\": {\"password\": \"cut", "{\"aaa\": {\"password\": \"<>");
}

TEST(in_json_how_a_password_is_kept_stays_readable_and_the_password_does_not)
{
	check_masked("{\"aaa\": {\"user\": {\"a\": {\"password\": \"alg sha512 hash $6$a$b\"}}}}",
		     "{\"aaa\": {\"user\": {\"a\": {\"password\": \"alg sha512 hash <>\"}}}}");
	check_masked("{\"aaa\": {\"password\": \"alg sha512 secret hunter2 and more\"}}",
		     "{\"aaa\": {\"password\": \"alg sha512 secret <>\"}}");
	check_masked("{\"aaa\": {\"password\": \"alg sha512 hunter2\"}}", "{\"aaa\": {\"password\": \"<>\"}}");
	check_masked("{\"aaa\": {\"password\": \"alg $6$ab$cd hash x\"}}", "{\"aaa\": {\"password\": \"<>\"}}");
	check_masked("{\"aaa\": {\"password\": \" alg sha512 hash x\", \"password2\": \"alg sha512 hash x\"}}",
		     "{\"aaa\": {\"password\": \"<>\", \"password2\": \"<>\"}}");
	check_masked("{\"tunnel\": {\"password\": \"alg sha512 hash x\"}}", "{\"tunnel\": {\"password\": \"<>\"}}");
}

/* ---- what a device is given ---- */

TEST(commands_that_leave_configuration_are_refused_however_short)
{
	static const char *const lines[] = { "leave",  "abort", "ab",       "exit",          "do show",     "copy run start",
					     "cp a b", "shell", "reboot",   "factory-reset", "  configure", "LEAVE",
					     "boot",   "end?",  "vlan 1 ?", "vlan\x03 1",    "vlan\t1\x1a" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		CHECK(weos_line_refused(bytes_str(lines[i])) != NULL);
	CHECK(!weos_line_refused(bytes_str("\tend")));
	CHECK(!weos_line_refused(bytes_str("vlan 1")));
	CHECK(!weos_line_refused(bytes_str("logging")));
	CHECK(!weos_line_refused(bytes_str("no spanning-tree")));
	CHECK(!weos_line_refused(bytes_str("")));
}

TEST(a_value_never_chooses_the_command_nor_ends_the_line)
{
	CHECK(weos_value_refused(bytes_str(""), bytes_str("vlan"), FORM_WORD));
	CHECK(weos_value_refused(bytes_str("no "), bytes_str("vlan"), FORM_WORD));
	CHECK(weos_value_refused(bytes_str("system hostname "), bytes_str("a\nleave"), FORM_WORD));
	CHECK(weos_value_refused(bytes_str("system hostname "), bytes_str("a?"), FORM_WORD));
	CHECK(weos_value_refused(bytes_str("system hostname "), bytes_str("a b"), FORM_WORD));
	CHECK(weos_value_refused(bytes_str("system location "), bytes_str("\"x\""), FORM_REST));
	CHECK(weos_value_refused(bytes_str("system location "), bytes_str(""), FORM_REST));
	CHECK(!weos_value_refused(bytes_str("system location "), bytes_str("a b"), FORM_REST));
	CHECK(!weos_value_refused(bytes_str("system hostname sw-"), bytes_str("12"), FORM_WORD));
}

TEST(what_gives_or_takes_a_way_in_is_known)
{
	CHECK(weos_is_address(bytes_str(""), bytes_str("no iface vlan1")));
	CHECK(weos_is_address(bytes_str("iface vlan1 inet static"), bytes_str("no address")));
	CHECK(weos_is_address(bytes_str("vlan 1"), bytes_str("untagged 1")));
	CHECK(weos_is_address(bytes_str("port 1"), bytes_str("no shutdown")));
	CHECK(!weos_is_address(bytes_str("port 1"), bytes_str("speed-duplex auto")));
	CHECK(!weos_is_address(bytes_str(""), bytes_str("no spanning-tree")));
	CHECK(weos_is_inside(bytes_str("\tname a")) && weos_is_inside(bytes_str("end")) && !weos_is_inside(bytes_str("vlan 1")));
	CHECK(weos_is_remark(bytes_str("no description")) && !weos_is_remark(bytes_str("hostname a")));
}

/* ---- what a console shows ---- */

static void check_without_logs(const char *in, size_t count, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	CHECK_EQ(weos_without_logs(&out, bytes_str(in)), count);
	CHECK_STR(buf_text(&out), want);
}

TEST(log_lines_go_and_what_they_broke_is_whole_again)
{
	check_without_logs("system\n\tlocation Hall\n\tend\n", 0, "system\n\tlocation Hall\n\tend\n");
	check_without_logs("system\n\tloc\nNov 25 12:00:01 dhcpd[412]: x\nation Hall\n\tend\n", 1, "system\n\tlocation Hall\n\tend\n");
	check_without_logs("system\nNov 25 12:00:01 dhcpd[412]: x\n\tlocation Hall\n\tend\n", 1, "system\n\tlocation Hall\n\tend\n");
	check_without_logs("system\n\nNov 25 12:00:01 dhcpd[412]: x\n\tlocation Hall\n\tend\n", 1, "system\n\n\tlocation Hall\n\tend\n");
	check_without_logs("system\n\tlocation\n[ 12.5] x\nkernel: y\n Hall\n\tend\n", 2, "system\n\tlocation Hall\n\tend\n");
	check_without_logs("\tend\nkernel: eth2: link is up\nvlan 1\n\tend\nkernel: eth2: link is up\n", 2, "\tend\nvlan 1\n\tend\n");
	check_without_logs("{\n  \"a\": {\nkernel: x\n    \"b\": 1\n  }\n}\n", 1, "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n");
}

TEST(noise_is_told_from_text)
{
	CHECK(weos_is_clean(bytes_str("vlan 1\n\tname K\xc3\xb6ln\n")));
	CHECK(!weos_is_clean(bytes_str("vlan 1\n\tname K\xf6ln\n")));
	CHECK(!weos_is_clean(bytes_str("vlan\r\n")));
	CHECK(!weos_is_clean(bytes_str("vlan\x1b[0m")));
	CHECK(!weos_is_clean(bytes_of("a\0b", 3)));
	CHECK(!weos_is_clean(bytes_str("cut \xc3")));
}

TEST(a_refusal_is_known_by_its_words)
{
	CHECK(weos_is_refusal(bytes_str("% Error: invalid input\n")));
	CHECK(weos_is_refusal(bytes_str("\ncfg://x not found.\n")));
	CHECK(!weos_is_refusal(bytes_str("Creating new remote server 1\n")));
	CHECK(!weos_is_refusal(bytes_str("")));
}

TEST(both_images_and_the_loader_are_read)
{
	struct weos_facts facts;

	weos_facts_read(&facts, bytes_str("System Name        : sw-1\nSystem Contact     : \n\n"
					  "Product Family     : Lynx                    Model              : L110-F2G\n"
					  "Article number     : 3643-0105               Serial Number      : 16001\n"
					  "Boot loader ver.   : 2017.12.0-10            Active firmware    : Main\n"
					  "Main firmware ver. : 4.32.3                  Manufacturing date : 2020-01-01\n"
					  "Backup firmware ver : 4.32.1\n\nCard #1\n  Type             : Copper  Model : other\n"));
	CHECK_STR(facts.model, "L110-F2G");
	CHECK_STR(facts.serial, "16001");
	CHECK_STR(facts.loader, "2017.12.0-10");
	CHECK_STR(facts.active, "Main");
	CHECK_STR(facts.main, "4.32.3");
	CHECK_STR(facts.backup, "4.32.1");
	weos_facts_read(&facts, bytes_str(": : :\nModel\n :\n"));
	CHECK_STR(facts.model, "");
}

static void check_doubt(const char *shown, const char *part)
{
	struct weos_boot boot;
	char doubt[256];

	weos_boot_read(&boot, bytes_str(shown));
	weos_boot_doubt(doubt, sizeof(doubt), &boot);
	if (part)
		CHECK(strstr(doubt, part));
	else
		CHECK_STR(doubt, "");
}

TEST(what_boots_in_place_of_startup_is_doubted)
{
	check_doubt("Config order       : int:startup\nConfig fallback    : int:factory\nConfig sync        : disabled\nBoot integrity     "
		    ": ok\n",
		    NULL);
	check_doubt("config-order int:startup\nconfig-fallback int:factory\nno config-sync\n", NULL);
	check_doubt("config-order ext:startup, int:startup\n", "ext:startup, int:startup");
	check_doubt("config-order int:startup\nconfig-sync ext\n", "copies");
	check_doubt("Boot integrity : VIOLATED\n", "VIOLATED");
	check_doubt("", NULL);
}

static void check_uptime(const char *shown, bool is_one, uint64_t least, uint64_t most)
{
	uint64_t a, b;

	CHECK_EQ(weos_uptime_read(&a, &b, bytes_str(shown)), is_one);
	if (is_one) {
		CHECK_EQ(a, least);
		CHECK_EQ(b, most);
	}
}

TEST(how_long_it_has_been_up_is_read_with_its_blur)
{
	check_uptime("up 12 s\n", true, 12, 13);
	check_uptime("up 3 m\n", true, 180, 240);
	check_uptime("up 2 h 05 m\n", true, 7500, 7560);
	check_uptime("up 1 d 03 h\n", true, 97200, 100800);
	check_uptime(" 10:00:01 up 1 day,  2:03,  load average: 0.0\n", true, 93780, 93840);
	check_uptime("up 0:01:05\n", true, 65, 66);
	check_uptime("% Error: invalid input\n", false, 0, 0);
	check_uptime("up\n", false, 0, 0);
}

TEST(only_one_whole_document_is_json)
{
	static const char *const good[] = { "{}", " {\"a\": [1, -2.5e+3, true, null, \"x\\u00e9\\n\"], \"b\": {}}\n" };
	static const char *const bad[] = {
		"", "[]", "{", "{\"a\"}", "{\"a\": 1,}", "{} x", "{\"a\": \"\\x\"}", "{\"a\": 01x}", "{\"a\": \"b\nc\"}", "{'a': 1}"
	};
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		CHECK_OK(weos_json_check(bytes_str(good[i]), &err));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_EQ(weos_json_check(bytes_str(bad[i]), &err), E_FORMAT);
	CHECK_EQ(weos_json_check(bytes_str("{\n\"a\": 1\n\nholdfast\n"), &err), E_FORMAT);
	CHECK(strstr(err.text, "line 4"));
}

TEST(a_text_that_is_cut_short_leaves_blocks_open)
{
	struct weos_items items;

	weos_items_read(&items, bytes_str(four));
	CHECK_EQ(items.open, 0);
	weos_items_done(&items);
	weos_items_read(&items, bytes_str("alarm\n\ttrigger 1\n\t\tport 1\n"));
	CHECK_EQ(items.open, 2);
	weos_items_done(&items);
}

/* ---- what a `leave` lost ---- */

static const char ran4[] = "# \\\\/ Westermo WeOS v4.32.3, CLI Format v1.32\n\nsystem\n\thostname sw1\n\tend\n\nspanning-tree\n\tend\n\n"
			   "vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\n\niface vlan1 inet dhcp\n\tdistance 1\n\tmanagement ssh\n\tend\n\n"
			   "snmp-server\n\trocommunity public\n\ttrapcommunity trap\n\tend\n";
static const char ran5[] =
	"{\n  \"system\": {\n    \"hostname\": \"sw1\",\n    \"encrypt-secrets\": \"portable\"\n  },\n  \"vlan\": {\n    \"1\": {\n"
	"      \"name\": \"vlan1\"\n    }\n  },\n  \"iface\": {\n    \"vlan1\": {\n      \"inet\": {\n        \"dhcp\": {}\n      },\n"
	"      \"management\": \"ssh\"\n    }\n  },\n  \"web\": {}\n}\n";

/* text with its first `from` made `to`; the caller frees */
static char *with(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	CHECK(at);
	return mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static size_t lost_by(const char *change, const char *before, const char *from, const char *to)
{
	_cleanup_(mem_freep) char *after = with(before, from, to);
	struct weos_items items;
	size_t lost;

	weos_items_read(&items, bytes_str(change));
	lost = weos_lost(bytes_str(before), bytes_str(after), &items);
	weos_items_done(&items);
	return lost;
}

TEST(what_a_change_has_nothing_to_do_with_and_is_gone_is_lost)
{
	static const char place[] = "system\n\tlocation Hall\n\tend\n";

	CHECK_EQ(lost_by(place, ran4, "\ttrapcommunity trap\n", ""), 1);
	CHECK_EQ(lost_by(place, ran4, "snmp-server\n\trocommunity public\n\ttrapcommunity trap\n\tend\n", ""), 3);
	CHECK_EQ(lost_by(place, ran4, "spanning-tree\n\tend\n", ""), 1);
	CHECK_EQ(lost_by(place, ran4, "vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\n", ""), 3);
	CHECK_EQ(lost_by("vlan 7\n\tname guests\n\tend\n", ran4, "\tmanagement ssh\n", ""), 1);
	CHECK_EQ(lost_by(place, ran5, ",\n      \"management\": \"ssh\"", ""), 1);
	CHECK_EQ(lost_by(place, ran5, ",\n  \"web\": {}", ""), 1);
}

TEST(one_of_several_settings_of_a_name_is_missed)
{
	static const char ran[] = "vlan 1\n\tname a\n\tend\nvlan 2\n\tname b\n\tend\n";

	CHECK_EQ(lost_by("system\n\tlocation Hall\n\tend\n", ran, "\tname b\n", ""), 1);
}

TEST(another_value_or_a_new_setting_is_no_loss)
{
	CHECK_EQ(lost_by("system\n\thostname sw2\n\tend\n", ran4, "hostname sw1", "hostname sw2"), 0);
	CHECK_EQ(lost_by("system hostname sw2\n", ran5, "sw1", "sw2"), 0);
	CHECK_EQ(lost_by("vlan 7\n\tuntagged 3\n\tend\n", ran4, "untagged ALL", "untagged 1-2"), 0);
	CHECK_EQ(lost_by("system\n\tlocation Hall\n\tend\n", ran4, "hostname sw1\n", "hostname sw1\n\tlocation Hall\n"), 0);
	CHECK_EQ(lost_by("system location Hall\n", ran5, "\"sw1\",", "\"sw1\",\n    \"location\": \"Hall\","), 0);
	CHECK_EQ(lost_by("system\n\tlocation Hall\n\tend\n", ran4, "trapcommunity trap", "trapcommunity other"), 0);
	CHECK_EQ(lost_by("system\n\tlocation Hall\n\tend\n", ran4, "v4.32.3", "v4.32.4"), 0);
}

TEST(what_a_change_takes_away_or_replaces_is_no_loss)
{
	CHECK_EQ(lost_by("no vlan 1\n", ran4,
			 "vlan 1\n\tname vlan1\n\tuntagged ALL\n\tend\n\niface vlan1 inet dhcp\n\tdistance 1\n\tmanagement ssh\n\tend\n",
			 ""),
		 0);
	CHECK_EQ(lost_by("snmp-server\n\tno trapcommunity\n\tend\n", ran4, "\ttrapcommunity trap\n", ""), 0);
	CHECK_EQ(lost_by("no spanning-tree\n", ran4, "spanning-tree\n\tend\n", "no spanning-tree\n"), 0);
	CHECK_EQ(lost_by("iface vlan1 inet static\n\taddress 192.0.2.1/24\n\tend\n", ran4, "dhcp\n\tdistance 1\n",
			 "static\n\taddress 192.0.2.1/24\n"),
		 0);
	CHECK_EQ(lost_by("iface vlan1 inet static\n", ran5, "\"dhcp\"", "\"static\""), 0);
	CHECK_EQ(lost_by("ifa vlan1 inet static\n", ran4, "\tdistance 1\n", ""), 0);
}

TEST(texts_of_no_shape_lose_what_they_had_and_nothing_more)
{
	CHECK_EQ(lost_by("system location Hall\n", "vlan 1\n", "vlan 1\n", ""), 1);
	CHECK_EQ(lost_by("system location Hall\n", "x{\"a\"\n", "x", "x"), 0);
	CHECK_EQ(lost_by("system location Hall\n", "{\"\": 1\n\"a\n\"b\":\n", "\"b\":", ""), 1);
}
