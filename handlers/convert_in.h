/* convert_in.h - the pieces that convert_sandbox.c and convert_container.c share. */
#ifndef HANDLERS_CONVERT_IN_H
#define HANDLERS_CONVERT_IN_H

#include "handlers/convert.h"

struct strings convert_strings(char **in, size_t n, struct arena *a);
struct ints convert_ints(const int64_t *in, size_t n, struct arena *a);
struct opt_i64 convert_opt(const Runtime__V1__Int64Value *in);
int convert_profile(struct profile *out, const Runtime__V1__SecurityProfile *in, const char *what, struct err *e);
struct selinux_options convert_selinux(const Runtime__V1__SELinuxOption *in);
struct id_mappings convert_id_mappings(Runtime__V1__IDMapping **in, size_t n, struct arena *a);
int convert_enum(int value, int last, const char *what, struct err *e); /* 0..last is fine */
int convert_namespaces(struct ns_options *out, const Runtime__V1__NamespaceOption *in, struct arena *a, struct err *e);
int convert_resources_in(struct resources *out, const Runtime__V1__LinuxContainerResources *in, struct arena *a,
			 struct err *e);

#endif
