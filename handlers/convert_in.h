/* convert_in.h - protobuf to plain structs: the parts that sandboxes, containers and updates share.
 *
 * `what` is the name of the field, for the error: INVALID_ARGUMENT. */
#ifndef HANDLERS_CONVERT_IN_H
#define HANDLERS_CONVERT_IN_H

#include "handlers/convert.h"

struct strings convert_strings(char **in, size_t count, struct arena *arena);
struct ints convert_ints(const int64_t *in, size_t count, struct arena *arena);
struct opt_i64 convert_opt(const Runtime__V1__Int64Value *in);
int convert_profile(struct profile *out, const Runtime__V1__SecurityProfile *in, const char *what, struct err *e);
struct selinux_options convert_selinux(const Runtime__V1__SELinuxOption *in);
struct id_mappings convert_id_mappings(Runtime__V1__IDMapping **in, size_t count, struct arena *arena);
int convert_enum(int value, int last, const char *what, struct err *e); /* 0..last is valid */
int convert_namespaces(struct ns_options *out, const Runtime__V1__NamespaceOption *in, struct arena *arena,
		       struct err *e);
int convert_resources_in(struct resources *out, const Runtime__V1__LinuxContainerResources *in, struct arena *arena,
			 struct err *e);

#endif
