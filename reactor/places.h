/* places.h - where the programs of crisp find each other before any of them has read the configuration: the defaults,
 * and the copy that crispd leaves. */
#ifndef REACTOR_PLACES_H
#define REACTOR_PLACES_H

#define DEFAULT_CONFIG "/etc/crisp/config.yaml"
#define DEFAULT_STATE "/run/crisp"
#define DEFAULT_ROOT "/var/lib/crisp"
#define DEFAULT_ADDRESS "unix://" DEFAULT_STATE "/crisp.sock"

/* Beside a configuration FILE.yaml may be a directory FILE.d, whose *.yaml are read after it. (ARCHITECTURE R123) */
#define CONFIG_SUFFIX ".yaml"
enum { CONFIG_PARTS_MAX = 64, CONFIG_BYTES_MAX = 1 << 20 }; /* files of the directory; all that is read */

/* In `state` and in `root`: the configuration of the last crispd that was READY. (ARCHITECTURE R75, R150) */
#define READY_CONFIG "config.ready"
#define READY_CONFIG_FIRST "# crispd was ready with this copy of " /* its first line: this, and the path of the file */

#endif
