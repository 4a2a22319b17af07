/* cli/certificate-show.c -- a certificate for people: as text, as JSON, and as a page to print. One list of sections serves all. */
#include "cli/certificate.h"

#include "cli/output.h"

#include <stdio.h>
#include <string.h>

struct line {
	const char *label, *key;
};

struct section {
	const char *title;
	struct line lines[14];
};

/* In the words of NIST SP 800-88 where it has one. */
static const struct section sections[] = {
	{ "Media",
	  { { "Manufacturer", "manufacturer" },
	    { "Model", "model" },
	    { "Serial number", "serial" },
	    { "Asset number", "asset" },
	    { "Firmware", "firmware" },
	    { "Source", "device-name" },
	    { "Device id", "device" },
	    { "Fleet", "fleet" } } },
	{ "Sanitization",
	  { { "Standard", "standard" },
	    { "State", "state" },
	    { "Category", "category" },
	    { "Evidence, the weakest", "evidence" },
	    { "Area", "area" },
	    { "Not sanitized", "left" },
	    { "Performed by", "performed" },
	    { "Verified by", "verified" },
	    { "Date", "time" },
	    { "Place", "place" },
	    { "Destination", "destination" } } },
	{ "Archived copies",
	  { { "Keys destroyed, epochs", "epochs" }, { "Snapshots that they opened", "snapshots" }, { "Further copy", "copy" } } },
	{ "What this does not say", { { "Limit", "limit" } } },
	{ "Proof",
	  { { "Order to erase", "erase" },
	    { "Receipt of the device", "receipt" },
	    { "Console transcript", "transcript" },
	    { "Order to shred", "shred" },
	    { "Shredded", "shredded" },
	    { "Log", "log" },
	    { "Root", "root" } } },
};

/* ---- signatures ---- */

static void signer_text(struct buf *out, const struct certificate_view *v, size_t i)
{
	const struct sign_pub *key = &statement_sig(v->certificate, i)->key;
	const char *person = root_person_of(v->root, key);
	char print[52];

	sign_pub_fingerprint(print, key);
	buf_addf(out, "%s %s", person ? person : "archive", print);
}

/* ---- text ---- */

static void add_row(struct table *table, const char *label, const char *value)
{
	const char *cells[] = { label, value };

	table_add(table, cells);
}

static void add_section(struct table *table, const struct section *section, const struct statement *c)
{
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(section->lines) && section->lines[i].key; i++)
		for (size_t k = 0; (value = statement_at(c, section->lines[i].key, k)); k++)
			add_row(table, section->lines[i].label, value);
}

void certificate_text(struct buf *out, const struct certificate_view *v, bool for_people)
{
	static const char *const heads[] = { "WHAT", "VALUE" };
	_cleanup_(table_done) struct table table;

	table_init(&table, ARRAY_SIZE(heads), heads);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		add_section(&table, &sections[i], v->certificate);
	for (size_t i = 0; i < statement_sig_count(v->certificate); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		signer_text(&text, v, i);
		add_row(&table, "Signed by", buf_text(&text));
	}
	if (v->sum)
		add_row(&table, "File of proof, SHA-256", v->sum);
	for (size_t i = 0; v->notes && v->notes[i]; i++)
		add_row(&table, "Note", v->notes[i]);
	table_text(out, &table, for_people);
}

/* ---- JSON ---- */

static json_t *values_json(const struct statement *c, const char *key)
{
	json_t *list = json_array();
	const char *value;

	for (size_t i = 0; (value = statement_at(c, key, i)); i++)
		json_array_append_new(list, json_string(value));
	return list;
}

static json_t *signers_json(const struct certificate_view *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < statement_sig_count(v->certificate); i++) {
		const struct sign_pub *key = &statement_sig(v->certificate, i)->key;
		const char *person = root_person_of(v->root, key);
		char print[52];

		sign_pub_fingerprint(print, key);
		json_array_append_new(list, json_pack("{s:s, s:s}", person ? "person" : "by", person ? person : "archive", "key", print));
	}
	return list;
}

/* What may occur more than once is a list, as in the statement's table. */
json_t *certificate_json(const struct certificate_view *v)
{
	static const char *const lists[] = { "area", "left", "verified", "copy", "limit", "shredded" };
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(sections[i].lines) && sections[i].lines[k].key; k++) {
			const char *key = sections[i].lines[k].key, *value = statement_get(v->certificate, key);
			bool is_list = false;

			for (size_t n = 0; n < ARRAY_SIZE(lists); n++)
				is_list = is_list || !strcmp(lists[n], key);
			if (is_list)
				json_object_set_new(json, key, values_json(v->certificate, key));
			else if (value)
				json_object_set_new(json, key, json_string(value));
		}
	}
	json_object_set_new(json, "signatures", signers_json(v));
	if (v->sum)
		json_object_set_new(json, "sum", json_string(v->sum));
	return json;
}

/* ---- the page ---- */

static void escape(struct buf *out, const char *text)
{
	static const struct {
		char c;
		const char *entity;
	} entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };

	for (; *text; text++) {
		size_t i = 0;

		while (i < ARRAY_SIZE(entities) && entities[i].c != *text)
			i++;
		if (i < ARRAY_SIZE(entities))
			buf_add_str(out, entities[i].entity);
		else
			buf_add_char(out, *text);
	}
}

static void page_row(struct buf *out, const char *label, const char *value)
{
	buf_add_str(out, "<tr><th scope=\"row\">");
	escape(out, label);
	buf_add_str(out, "</th><td>");
	escape(out, value);
	buf_add_str(out, "</td></tr>\n");
}

static void page_begin(struct buf *out, const char *title)
{
	buf_addf(out, "<h2>%s</h2>\n<table>\n", title);
}

static void page_section(struct buf *out, const struct section *section, const struct statement *c)
{
	const char *value;
	bool has_begun = false;

	for (size_t i = 0; i < ARRAY_SIZE(section->lines) && section->lines[i].key; i++) {
		for (size_t k = 0; (value = statement_at(c, section->lines[i].key, k)); k++) {
			if (!has_begun)
				page_begin(out, section->title);
			has_begun = true;
			page_row(out, section->lines[i].label, value);
		}
	}
	if (has_begun)
		buf_add_str(out, "</table>\n");
}

static void page_head(struct buf *out, const struct certificate_view *v)
{
	buf_add_str(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
			 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<title>"
			 "Certificate of sanitization: ");
	escape(out, statement_get(v->certificate, "device-name"));
	buf_add_str(
		out,
		"</title>\n<style>\n"
		"@page { margin: 12mm }\n"
		"body { font: 10pt/1.3 sans-serif; color: #000; background: #fff; max-width: 190mm; margin: 0 auto; padding: 4mm }\n"
		"h1 { font-size: 15pt; margin: 0 0 2mm } h2 { font-size: 10.5pt; margin: 3mm 0 1mm; border-bottom: 0.3mm solid #000 }\n"
		"table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: normal; width: 44mm; color: #444 }\n"
		"th, td { vertical-align: top; padding: 0.3mm 2mm 0.3mm 0; overflow-wrap: anywhere }\n"
		".sign td { border-bottom: 0.2mm solid #888; height: 8mm }\n"
		"</style>\n</head>\n<body>\n<h1>Certificate of sanitization</h1>\n<p>Fleet ");
	escape(out, root_name(v->root));
	buf_add_str(out, ". Holdfast made this page from signed statements. It is a picture of the proof, not the proof: that is the file "
			 "named below, "
			 "which holdfast retire verify checks.</p>\n");
}

static void page_signatures(struct buf *out, const struct certificate_view *v)
{
	page_begin(out, "Signatures");
	for (size_t i = 0; i < statement_sig_count(v->certificate); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		signer_text(&text, v, i);
		page_row(out, "Digitally signed by", buf_text(&text));
	}
	if (!statement_sig_count(v->certificate))
		page_row(out, "Digitally signed by", "nobody: this is a draft");
	if (v->sum)
		page_row(out, "File of proof, SHA-256", v->sum);
	buf_add_str(out, "</table>\n<table class=\"sign\">\n");
	page_row(out, "Name, title, date, signature", "");
	page_row(out, "Name, title, date, signature", "");
	buf_add_str(out, "</table>\n");
}

void certificate_html(struct buf *out, const struct certificate_view *v)
{
	page_head(out, v);
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		page_section(out, &sections[i], v->certificate);
	page_signatures(out, v);
	if (v->notes && v->notes[0])
		page_begin(out, "Notes of whoever checked it");
	for (size_t i = 0; v->notes && v->notes[i]; i++)
		page_row(out, "Note", v->notes[i]);
	if (v->notes && v->notes[0])
		buf_add_str(out, "</table>\n");
	buf_add_str(out, "</body>\n</html>\n");
}
