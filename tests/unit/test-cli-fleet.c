/* tests/unit/test-cli-fleet.c -- the server's list of devices is taken for what it is: words of somebody else, to choose from. */
#include "tests/test.h"

#include "cli/cli.h"
#include "cli/firmware.h"
#include "cli/fleet.h"

#include <stdio.h>

static const char four[] =
	"{\"devices\": ["
	"{\"id\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"name\": \"core-1\", \"labels\": [\"site:north\", \"role:ring\"], \"admitted\": true,"
	" \"head\": 9, \"snapshot\": 9, \"epoch\": 2, \"forks\": 0, \"saved\": \"no\", \"unsaved-since\": \"2026-11-22T08:14:00Z\","
	" \"mode\": \"observe\"},"
	"{\"id\": \"aaaaaabbbbbbbbbbbbbbbbbbbb\", \"name\": \"core-2\", \"labels\": [\"site:south\"], \"admitted\": true},"
	"{\"id\": \"cccccccccccccccccccccccccc\", \"name\": \"edge\", \"labels\": [], \"admitted\": true},"
	"{\"id\": \"dddddddddddddddddddddddddd\", \"name\": \"\", \"labels\": [], \"admitted\": false, \"new-field\": [1]}]}";

static int parse(struct fleet_list *out, const char *text, struct error *err)
{
	json_t *json = json_loads(text, 0, NULL);
	int r = fleet_list_parse(out, json, err);

	json_decref(json);
	return r;
}

TEST(a_list_is_read_with_what_it_says_and_without_what_it_does_not)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct error err = { 0 };

	CHECK_OK(parse(&list, four, &err));
	CHECK_EQ(list.count, 4);
	CHECK_STR(list.members[0].labels, "site:north role:ring");
	CHECK_STR(list.members[0].saved, "no");
	CHECK_EQ(list.members[0].unsaved_since_s, 1795335240);
	CHECK_EQ(list.members[0].epoch, 2);
	CHECK_EQ(list.members[1].snapshot, 0);
	CHECK_EQ(list.members[1].seen_s, 0);
	CHECK(list.members[2].is_admitted && !list.members[3].is_admitted);
}

TEST(a_malformed_list_is_refused)
{
	static const char *const fields[] = {
		"\"id\": \"short\"", "\"id\": 7", "\"id\": \"../../../../../../../etc/pass\"", "\"name\": 7",
		"\"labels\": \"site:north\"", "\"labels\": [7]", "\"labels\": [\"two words\"]", "\"admitted\": \"yes\"", "\"head\": -1",
		"\"head\": \"9\"", "\"snapshot\": 1.5",
		"\"seen\": 12", "\"seen\": \"yesterday\"", "\"hold\": \"2026-02-30T00:00:00Z\"",
		"\"name\": \"a-name-of-more-than-sixty-three-characters-is-no-name-that-a-device-can-have\"",
	};
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
		_cleanup_(mem_freep) char *text =
			mem_printf("{\"devices\": [{\"id\": \"aaaaaaaaaaaaaaaaaaaaaaaaaa\", \"admitted\": true, %s}]}", fields[i]);

		if (parse(&list, text, &err) != E_PEER)
			fail_msg("taken: %s", fields[i]);
	}
	for (int i = 0; i < 4; i++) {
		static const char *const whole[] = { "{}", "[]", "{\"devices\": {}}", "{\"devices\": [7]}" };
		_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

		CHECK_EQ(parse(&list, whole[i], &err), E_PEER);
	}
}

TEST(selectors_keep_those_that_are_meant)
{
	static const char *const north[] = { "site:north" }, *const both[] = { "core-*", "!core-2" }, *const none[] = { "site:west" };
	struct error err = { 0 };

	for (int i = 0; i < 2; i++) {
		_cleanup_(fleet_list_done) struct fleet_list list = { 0 };

		CHECK_OK(parse(&list, four, &err));
		CHECK_OK(fleet_list_select(&list, i ? both : north, i ? 2 : 1, &err));
		CHECK_EQ(list.count, 1);
		CHECK_STR(list.members[0].name, "core-1");
		CHECK_OK(fleet_list_select(&list, NULL, 0, &err));
		CHECK_EQ(fleet_list_select(&list, none, 1, &err), CLI_ABSENT);
	}
}

static const char *found(const struct fleet_list *list, const char *text, int *code, struct error *err)
{
	const struct fleet_member *member;

	*code = fleet_find(&member, list, text, err);
	return *code == 0 ? member->id : "";
}

TEST(a_device_is_found_by_name_id_or_six_characters_of_it)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct error err = { 0 };
	int code;

	CHECK_OK(parse(&list, four, &err));
	CHECK_STR(found(&list, "edge", &code, &err), "cccccccccccccccccccccccccc");
	CHECK_STR(found(&list, "cccccc", &code, &err), "cccccccccccccccccccccccccc");
	CHECK_STR(found(&list, "dddddddddddddddddddddddddd", &code, &err), "dddddddddddddddddddddddddd");
	CHECK_STR(found(&list, "aaaaaab", &code, &err), "aaaaaabbbbbbbbbbbbbbbbbbbb");
	found(&list, "aaaaaa", &code, &err);
	CHECK_EQ(code, CLI_USAGE); /* two begin so */
	found(&list, "ccccc", &code, &err);
	CHECK_EQ(code, CLI_ABSENT);
	found(&list, "", &code, &err);
	CHECK_EQ(code, CLI_ABSENT); /* not the one that has no name */
}

TEST(a_slip_of_the_finger_is_answered_with_the_nearest_name)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct error err = { 0 };
	int code;

	CHECK_OK(parse(&list, four, &err));
	found(&list, "egde", &code, &err);
	CHECK_EQ(code, CLI_ABSENT);
	CHECK(strstr(err.text, "did you mean 'edge'?"));
	found(&list, "something-else", &code, &err);
	CHECK(!strstr(err.text, "did you mean"));
}

TEST(two_devices_of_one_name_are_not_guessed_between)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	struct error err = { 0 };
	int code;

	CHECK_OK(parse(&list, four, &err));
	snprintf(list.members[1].name, sizeof(list.members[1].name), "core-1");
	found(&list, "core-1", &code, &err);
	CHECK_EQ(code, CLI_USAGE);
	CHECK(strstr(err.text, "aaaaaaaaaaaaaaaaaaaaaaaaaa or aaaaaabbbbbbbbbbbbbbbbbbbb"));
}

/* lines: of the statement, between its part and its size. */
static void check_fit(const char *lines, const char *model, const char *runs, enum firmware_fit wanted)
{
	static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	_cleanup_(mem_freep) char *text =
		mem_printf("holdfast-statement/1 firmware\nfleet: aaaaaaaaaaaaaaaaaaaaaaaaaa\ndriver: weos\npart: %s\nsize: 7\nimage: %s\n"
			   "person: alice\ntime: 2026-03-01T00:00:00Z\nroot: 1\n",
			   lines, hash);
	struct fleet_member m = { .driver = "weos" };
	struct firmware f = { 0 };
	struct error err = { 0 };

	snprintf(m.model, sizeof(m.model), "%s", model);
	snprintf(m.firmware, sizeof(m.firmware), "%s", runs);
	CHECK_OK(statement_parse(&f.st, bytes_str(text), true, NULL, &err));
	if (firmware_fits(&f, &m) != wanted)
		fail_msg("%s on '%s' with '%s': %d", lines, model, runs, (int)firmware_fits(&f, &m));
	snprintf(m.driver, sizeof(m.driver), "frr");
	CHECK_EQ(firmware_fits(&f, &m), FIRMWARE_OTHER_DRIVER);
	CHECK(firmware_is(&f, "01234567") && !firmware_is(&f, "0123456") && !firmware_is(&f, "1234567"));
	statement_free(f.st);
}

TEST(an_image_is_ordered_only_for_whom_it_fits)
{
	static const char plain[] = "system\nversion: 5.24.0", some[] = "system\nmodel: Lynx\nmodel: Viper\nversion: 5.24.0",
			  least[] = "system\nversion: 5.24.0\nminimum: 5.20.0", back[] = "system\nversion: 5.24.0\ndowngrade: loses";

	check_fit(plain, "Lynx", "WeOS v5.23.0", FIRMWARE_FITS);
	check_fit(plain, "Lynx", "", FIRMWARE_FITS);
	check_fit(plain, "Lynx", "WeOS v5.24.0", FIRMWARE_RUNS);
	check_fit(plain, "Lynx", "WeOS v5.100.0", FIRMWARE_OLDER);
	check_fit(back, "Lynx", "WeOS v5.100.0", FIRMWARE_GOES_BACK);
	check_fit(some, "viper", "5.23", FIRMWARE_FITS);
	check_fit(some, "Other", "5.23", FIRMWARE_OTHER_MODEL);
	check_fit(some, "", "5.23", FIRMWARE_FITS); /* the device knows, and says so */
	check_fit(least, "Lynx", "5.20.0", FIRMWARE_FITS);
	check_fit(least, "Lynx", "5.19.9", FIRMWARE_MINIMUM);
	check_fit(least, "Lynx", "", FIRMWARE_MINIMUM);
	check_fit("boot\nversion: 1.0", "Lynx", "5.24.0", FIRMWARE_FITS); /* another version than that of what runs */
}
