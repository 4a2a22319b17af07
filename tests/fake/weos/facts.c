/* tests/fake/weos/facts.c -- what of the simulated device is known of the real one, and how well. */
#include "tests/fake/weos/facts.h"

#include "base/attr.h"

#include <stdio.h>

enum confidence { VENDOR, FIELD, WEAK, INFERRED, INVENTED };

static const char *const words[] = {
	[VENDOR] = "vendor",     /* read in the vendor's own pages */
	[FIELD] = "field",       /* read in captures or in drivers of people who use the device */
	[WEAK] = "weak",         /* one weak source */
	[INFERRED] = "inferred", /* follows from the others */
	[INVENTED] = "invented", /* made up here */
};

static const struct {
	enum confidence confidence;
	const char *what;
} facts[] = {
	{ VENDOR, "prompts 'host:/#> ', 'host:/config/system/#> ', contexts as path; pages differ on the last slash" },
	{ VENDOR, "'boot' and its contexts /boot/ and /boot/loader/, config-order, config-fallback, config-sync, boot-integrity restore" },
	{ VENDOR, "the host name in the prompt changes as soon as 'leave' applies it" },
	{ VENDOR,
	  "'leave' says 'Applying configuration.' and 'Configuration activated.  Remember \"copy run start\" to save to flash (NVRAM).'" },
	{ VENDOR, "'remote-server 1' says 'Creating new remote server 1'" },
	{ VENDOR, "an administrator cannot remove itself, one must remain" },
	{ VENDOR, "'password alg sha512 secret ...' in aaa/user, encrypt-secrets portable|hwuid|password, encrypt-password" },
	{ VENDOR, "after encrypt-password the secrets in startup are unreadable until running is saved" },
	{ VENDOR, "two images and a boot loader, primary first, backup when it does not load" },
	{ VENDOR, "boot menu: Ctrl-C at boot, 'Barebox Boot Menu', entries 1 to 5 and their names, question that ends in y/[n], only a "
		  "lower-case y" },
	{ VENDOR, "'Erasing Barebox configuration ... [ OK ]', 'Erasing System configuration ... [ OK ]', "
		  "'Device was successfully factory reset.', 'The device will now reboot.'; firmware is kept" },
	{ VENDOR, "cfg:// and crt:// are on flash, log:// in RAM; 'Copying x to y ...', 'Done.'" },
	{ VENDOR, "WeOS 5 keeps its configuration as JSON with 'system': {'hostname': ...}" },
	{ FIELD, "WeOS 4 configuration: two lines of comment, sections, tabs, 'end' at the indent of what it closes, 'no spanning-tree'" },
	{ FIELD, "startup is shown with four more lines: two empty, a rule, 'cfg://config0.cfg' and a date" },
	{ FIELD, "the pager's banner, pages padded with blanks after the first, 'batch' and 'interactive'" },
	{ FIELD, "'show system-information': its labels, two on a line" },
	{ FIELD, "'copy run start' is silent when it worked; 'copy console running-config', text, Ctrl-D" },
	{ FIELD, "errors begin with '% Error'; '... not found', 'invalid input', '... not supported', '... not allowed', '... Invalid'" },
	{ FIELD, "CR and LF are Enter, each: CR LF is an empty line more" },
	{ FIELD, "words can be shortened; '=> Are you sure (y/N)?' after factory-reset" },
	{ WEAK, "default account admin with password admin (WeOS 5); for WeOS 4 a source says 'westermo', here it is 'admin', too" },
	{ WEAK, "'end' goes one level up, 'do' runs an exec command in a context, 'shell' is a shell" },
	{ INFERRED, "'abort' discards; 'exit' and 'end' at the first level of a configuration apply as 'leave' does" },
	{ INFERRED, "'copy startup-config running-config' goes back to what is saved and says what factory-config's copy says" },
	{ INFERRED, "boot loader: Barebox's 'Hit ... to stop autoboot:' with a countdown; fault menu-widget paints as its menu does" },
	{ INFERRED, "the boot settings lie in the boot loader's environment, so the menu's factory reset erases them" },
	{ INVENTED,
	  "login banner, boot messages, wording of errors after '% Error', dir, show log, users, alarm and boot, the reboot question" },
	{ INVENTED, "wording of the two warning lines before y/[n], of 'Aborted.', of entries 3 and 5" },
	{ INVENTED, "the keys of the JSON document beyond system.hostname; that 'show running-config' prints it" },
	{ INVENTED, "encrypted secrets as '$enc$SOURCE$base64', the same token for the same secret (the real one uses AES-256)" },
	{ INVENTED, "factory-reset in the CLI unlinks files, so that freed space keeps them; the menu's reset overwrites the partitions" },
	{ VENDOR,
	  "upgrade [force] [no-reboot] all|pri|sec|boot URI or ADDRESS FILE; no promise for a downgrade: configuration may be lost" },
	{ VENDOR, "scp both ways over the SSH port, /cfg/ only" },
	{ INVENTED, "what upgrade prints, the format of a package; startup saved by a newer release does not apply after a downgrade" },
	{ INVENTED,
	  "'ssh-key TYPE KEY' in aaa/user; that 'management' replaces what an interface had, and 'no management' takes all of it" },
	{ VENDOR, "the boot loader's menu starts either image; by itself it tries the primary one first" },
	{ INVENTED, "a failure mode: factory settings under the name failed-..., a line on the console; the same makers' Infix does so" },
	{ INVENTED, "an image that dies is started anew by a watchdog, as the boot loader starts by itself" },
	{ INVENTED, "two sessions each edit a copy of their own, the last 'leave' wins" },
	{ INVENTED, "all faults" },
};

int facts_print(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		printf("%-9s %s\n", words[facts[i].confidence], facts[i].what);
	return 0;
}
