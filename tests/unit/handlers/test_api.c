/* test_api.c - handlers/cri/api.proto and services.def have exactly what the tables of CRI v1 in tests/cri have. */
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/services.h"
#include "tests/tap.h"

/* All messages and enums: those of the methods, and by their fields those that are nested. */
static const ProtobufCMessageDescriptor *messages[512];
static const ProtobufCEnumDescriptor *enums[64];
static size_t n_messages, n_enums;

static void add_enum(const ProtobufCEnumDescriptor *d)
{
	for (size_t i = 0; i < n_enums; i++)
		if (enums[i] == d)
			return;
	enums[n_enums++] = d;
}

static void add_message(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < n_messages; i++)
		if (messages[i] == d)
			return;
	messages[n_messages++] = d;
	for (unsigned i = 0; i < d->n_fields; i++) {
		if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			add_message(d->fields[i].descriptor);
		if (d->fields[i].type == PROTOBUF_C_TYPE_ENUM)
			add_enum(d->fields[i].descriptor);
	}
}

static const char *package_less(const char *name)
{
	return strncmp(name, "runtime.v1.", 11) == 0 ? name + 11 : name;
}

static const ProtobufCMessageDescriptor *message(const char *name)
{
	for (size_t i = 0; i < n_messages; i++)
		if (strcmp(package_less(messages[i]->name), name) == 0)
			return messages[i];
	return NULL;
}

static bool is_map(const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *d = f->descriptor;

	return f->type == PROTOBUF_C_TYPE_MESSAGE && strstr(d->name, "Entry") && d->n_fields == 2 &&
	       strcmp(d->fields[0].name, "key") == 0;
}

static const char *type_name(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING: return "string";
	case PROTOBUF_C_TYPE_BYTES: return "bytes";
	case PROTOBUF_C_TYPE_BOOL: return "bool";
	case PROTOBUF_C_TYPE_INT32: return "int32";
	case PROTOBUF_C_TYPE_INT64: return "int64";
	case PROTOBUF_C_TYPE_UINT32: return "uint32";
	case PROTOBUF_C_TYPE_UINT64: return "uint64";
	case PROTOBUF_C_TYPE_DOUBLE: return "double";
	case PROTOBUF_C_TYPE_ENUM: return package_less(((const ProtobufCEnumDescriptor *)f->descriptor)->name);
	case PROTOBUF_C_TYPE_MESSAGE:
		return is_map(f) ? "map<string,string>"
				 : package_less(((const ProtobufCMessageDescriptor *)f->descriptor)->name);
	default: return "?";
	}
}

/* Calls fn for each row after the heading; cells are split at tabs. */
static int each_row(const char *table, void (*fn)(char **cells))
{
	char path[256], line[512], *cells[8], *save;
	int rows = -1;
	FILE *f;

	snprintf(path, sizeof(path), "tests/cri/cri-v1-%s.tsv", table);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		size_t n = 0;

		line[strcspn(line, "\n")] = '\0';
		for (char *c = strtok_r(line, "\t", &save); c && n < 8; c = strtok_r(NULL, "\t", &save))
			cells[n++] = c;
		if (rows++ >= 0)
			fn(cells);
	}
	fclose(f);
	return rows;
}

static int bad, fields_seen;

static void wrong(const char *what, char **cells)
{
	bad++;
	printf("# %s: %s %s %s\n", what, cells[0], cells[1], cells[2]);
}

static void check_field(char **cells)
{
	const ProtobufCMessageDescriptor *m = message(cells[0]);
	const ProtobufCFieldDescriptor *f;
	bool repeated = strcmp(cells[3], "repeated") == 0 || strcmp(cells[3], "map") == 0;

	if (!m)
		return wrong("no such message", cells);
	if (strcmp(cells[3], "empty") == 0) {
		if (m->n_fields)
			wrong("not empty", cells);
		return;
	}
	fields_seen++;
	f = protobuf_c_message_descriptor_get_field(m, (unsigned)strtoul(cells[2], NULL, 10));
	if (!f || strcmp(f->name, cells[1]) != 0)
		return wrong("no such field", cells);
	if ((f->label == PROTOBUF_C_LABEL_REPEATED) != repeated)
		wrong("label", cells);
	if (strcmp(type_name(f), cells[4]) != 0)
		wrong(type_name(f), cells);
}

static void check_enum(char **cells)
{
	const ProtobufCEnumValue *v;

	for (size_t i = 0; i < n_enums; i++) {
		if (strcmp(package_less(enums[i]->name), cells[0]) != 0)
			continue;
		v = protobuf_c_enum_descriptor_get_value_by_name(enums[i], cells[1]);
		if (!v || v->value != (int)strtol(cells[2], NULL, 10))
			wrong("value", cells);
		return;
	}
	wrong("no such enum", cells);
}

static void check_rpc(char **cells)
{
	char path[128];
	const struct rpc_method *m;
	bool always = strcmp(cells[1], "Version") == 0 || strcmp(cells[1], "Status") == 0;

	snprintf(path, sizeof(path), "/runtime.v1.%s/%s", cells[0], cells[1]);
	m = rpc_method(path);
	if (!m)
		return wrong("not dispatched", cells);
	if (strcmp(package_less(m->descriptor->input->name), cells[2]) != 0 ||
	    strcmp(package_less(m->descriptor->output->name), cells[3]) != 0)
		wrong("types", cells);
	if (m->always_served != always)
		wrong(always ? "not served before recovery has ended" : "served before recovery has ended", cells);
}

int main(void)
{
	const ProtobufCServiceDescriptor *services[] = { &runtime__v1__runtime_service__descriptor,
							 &runtime__v1__image_service__descriptor };
	unsigned methods = 0, described = 0;
	size_t maps = 0;

	services_open();
	for (size_t i = 0; i < 2; i++) {
		methods += services[i]->n_methods;
		for (unsigned k = 0; k < services[i]->n_methods; k++) {
			add_message(services[i]->methods[k].input);
			add_message(services[i]->methods[k].output);
		}
	}
	ok(each_row("rpcs", check_rpc) == (int)methods && methods == 43);
	ok(each_row("fields", check_field) > 450);
	ok(each_row("enums", check_enum) > 90);
	ok(bad == 0);
	for (size_t i = 0; i < n_messages; i++) {
		bool entry = strstr(messages[i]->name, "Entry") != NULL;

		maps += entry;
		described += entry ? 0 : messages[i]->n_fields;
	}
	ok(n_messages - maps == 175);
	ok((int)described == fields_seen); /* api.proto has no field that the tables lack */
	return tap_end();
}
