/* cli/help.c -- help, completion and the man page's section, all from the table. */
#include "cli/commands.h"

#include "cli/output.h"

#include <stdio.h>
#include <string.h>

static void add_usage(struct buf *out, const struct command *c)
{
	char name[64];

	command_name(name, c);
	buf_addf(out, "holdfast %s%s%s", name, *c->synopsis ? " " : "", c->synopsis);
}

static void add_options(struct buf *out, const struct option_def *o)
{
	for (; o && o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
		buf_addf(out, "  %c%c%c %-22s %s\n", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? ',' : ' ', left,
			 o->help);
	}
}

void help_command(struct buf *out, const struct command *command)
{
	buf_add_str(out, "usage: ");
	add_usage(out, command);
	buf_addf(out, "\n\n%s\n", command->help);
	if (command->options) {
		buf_add_str(out, "\noptions:\n");
		add_options(out, command->options);
	}
	buf_add_str(out, "\neverywhere:\n");
	add_options(out, global_options);
}

void help_all(struct buf *out)
{
	char name[64];

	buf_add_str(out, "usage: holdfast [--home DIR] [--json] COMMAND\n\n");
	for (size_t i = 0; i < command_count; i++) {
		command_name(name, &commands[i]);
		buf_addf(out, "  %-18s  %s\n", name, commands[i].help);
	}
	buf_add_str(out, "\neverywhere:\n");
	add_options(out, global_options);
	buf_add_str(out, "\nMore: holdfast help COMMAND, holdfast(1).\n");
}

/* scdoc reads _ and * and [ as its own. */
static void add_scdoc(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("_*[]\\<>.#", *text))
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
}

static void add_man_options(struct buf *out, const struct option_def *o, const char *indent)
{
	for (; o && o->name; o++) {
		buf_add_str(out, indent);
		if (o->letter)
			buf_addf(out, "*-%c*, ", o->letter);
		buf_addf(out, "*--%s*", o->name);
		if (o->value)
			buf_addf(out, " _%s_", o->value);
		buf_addf(out, "\n%s\t", indent);
		add_scdoc(out, o->help);
		buf_add_str(out, "\n\n");
	}
}

void help_man(struct buf *out)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		char name[64];

		command_name(name, c);
		buf_addf(out, "*%s* ", name);
		add_scdoc(out, c->synopsis);
		buf_add_str(out, "\n\t");
		add_scdoc(out, c->help);
		buf_add_str(out, "\n\n");
		add_man_options(out, c->options, "\t");
	}
	buf_add_str(out, "# OPTIONS\n\nThese may stand in front of every command, or behind it:\n\n");
	add_man_options(out, global_options, "");
}

/* The words that may follow `noun`; NULL: the first words, each once. */
static void add_words(struct buf *out, const char *noun)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		if (noun && !strcmp(c->noun, noun) && c->verb)
			buf_addf(out, "%s ", c->verb);
		if (!noun && (!i || strcmp(commands[i - 1].noun, c->noun) != 0))
			buf_addf(out, "%s ", c->noun);
	}
}

static void add_option_words(struct buf *out, const struct command *c)
{
	for (const struct option_def *o = c->options; o && o->name; o++)
		buf_addf(out, "--%s ", o->name);
}

/* The same for bash and zsh, which reads it through bashcompinit. */
static void complete_bash(struct buf *out)
{
	buf_add_str(out, "_holdfast() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=\n"
			 "\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]}\" in\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];

		buf_addf(out, "\t'%s %s'*) words='", c->noun, c->verb ? c->verb : "");
		add_option_words(out, c);
		buf_add_str(out, "--json --help' ;;\n");
	}
	buf_add_str(out, "\tesac\n\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\twords='");
	add_words(out, NULL);
	buf_add_str(out, "'\n\telif [ \"$COMP_CWORD\" = 2 ]; then\n\t\tcase ${COMP_WORDS[1]} in\n");
	for (size_t i = 0; i < command_count; i++) {
		if (!commands[i].verb || (i && !strcmp(commands[i - 1].noun, commands[i].noun)))
			continue;
		buf_addf(out, "\t\t%s) words='", commands[i].noun);
		add_words(out, commands[i].noun);
		buf_add_str(out, "' ;;\n");
	}
	buf_add_str(out, "\t\tcompletion) words='bash zsh fish' ;;\n\t\tesac\n\tfi\n"
			 "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _holdfast holdfast\n");
}

/* fish reads \ and ' between single quotes. */
static char *fish_quoted(const char *text)
{
	struct buf out = { 0 };

	buf_add_char(&out, '\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			buf_add_char(&out, '\\');
		buf_add_char(&out, *text);
	}
	buf_add_char(&out, '\'');
	return buf_steal_text(&out);
}

static void complete_fish(struct buf *out)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		_cleanup_(mem_freep) char *help = fish_quoted(c->help), *none = fish_quoted("");

		if (!i || strcmp(commands[i - 1].noun, c->noun) != 0)
			buf_addf(out, "complete -c holdfast -n __fish_use_subcommand -f -a %s -d %s\n", c->noun, c->verb ? none : help);
		if (c->verb)
			buf_addf(out, "complete -c holdfast -n '__fish_seen_subcommand_from %s' -f -a %s -d %s\n", c->noun, c->verb, help);
		for (const struct option_def *o = c->options; o && o->name; o++) {
			_cleanup_(mem_freep) char *option_help = fish_quoted(o->help);

			buf_addf(out, "complete -c holdfast -n '__fish_seen_subcommand_from %s' -l %s%s -d %s\n",
				 c->verb ? c->verb : c->noun, o->name, o->value ? " -r" : "", option_help);
		}
	}
}

int completion(struct buf *out, const char *shell, struct error *err)
{
	if (!strcmp(shell, "fish")) {
		complete_fish(out);
	} else if (!strcmp(shell, "bash") || !strcmp(shell, "zsh")) {
		if (*shell == 'z')
			buf_add_str(out, "#compdef holdfast\nautoload -U +X bashcompinit && bashcompinit\n");
		complete_bash(out);
	} else {
		return error_set(err, CLI_USAGE, "no completion for '%s'; there is bash, zsh and fish", shell);
	}
	return 0;
}

int cmd_completion(struct cli *cli _unused_, const struct args *args, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	int r = completion(&out, args->value[0], err);

	return r < 0 ? r : output_raw(buf_bytes(&out), err);
}

int cmd_help(struct cli *cli _unused_, const struct args *args, struct error *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	bool found = !args->count;

	if (found)
		help_all(&out);
	else if (!strcmp(args->value[0], "man")) { /* for the build: the man page's section */
		found = true;
		help_man(&out);
	}
	for (size_t i = 0; i < command_count && args->count; i++) {
		const struct command *c = &commands[i];

		if (strcmp(args->value[0], c->noun) != 0 || (args->count > 1 && c->verb && strcmp(args->value[1], c->verb) != 0))
			continue;
		if (found)
			buf_add_char(&out, '\n');
		found = true;
		help_command(&out, c);
	}
	if (!found)
		return error_set(err, CLI_USAGE, "unknown command '%.60s'; see: holdfast help", args->value[0]);
	return output_raw(buf_bytes(&out), err);
}

int cmd_version(struct cli *cli _unused_, const struct args *args _unused_, struct error *err)
{
	return output_raw(bytes_str("holdfast " HOLDFAST_VERSION "\n"), err);
}
