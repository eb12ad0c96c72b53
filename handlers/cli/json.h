/* json.h - any CRI message from JSON and to JSON, driven by protobuf-c's descriptors: no list of fields to maintain
 * here.
 *
 * Read: crictl's files and ProtoJSON. Names are snake_case as in api.proto or lowerCamelCase; enums are names or
 * numbers; 64-bit numbers may be strings; {"value": 5} of a wrapper message may be plain 5; a null member counts as
 * absent. Written: ProtoJSON with all scalars, lowerCamelCase, enums by name, 64-bit numbers as strings; unset messages
 * are left out. `bytes` (environment values, output of an exec) are text where they are UTF-8 without NUL, otherwise
 * {"base64": "..."}, in both directions: ProtoJSON has base64 always, crictl's files have text. */
#ifndef HANDLERS_CLI_JSON_H
#define HANDLERS_CLI_JSON_H

#include <protobuf-c/protobuf-c.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* A new message, which lives in the arena. NULL with INVALID_ARGUMENT and the path of the member:
 * `linux.security_context.run_as_usr: no such member of LinuxSandboxSecurityContext`. */
ProtobufCMessage *cli_json_read(const ProtobufCMessageDescriptor *type, const json_t *json, struct arena *arena,
				struct err *e);

/* A new reference. */
json_t *cli_json_write(const ProtobufCMessage *message);

#endif
