/* record.c - see record.h. */
#include "reactor/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/boot.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/record_sync.h"
#include "reactor/small_file.h"
#include "reactor/words.h"

enum { PATH_SIZE = 1024, RECORD_MAX = 64 << 20 };

static int record_path(char *path, const char *dir, const char *name, const char *suffix, struct err *e)
{
	int n = snprintf(path, PATH_SIZE, "%s/%s.json%s", dir, name, suffix);

	return n < PATH_SIZE ? 0 : err_set(e, ERR_INTERNAL, "record path too long: %s/%s", dir, name);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = EFFECT(write(fd, text, len));

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* rename(2) over an existing file makes ext4 flush the new file first (auto_da_alloc): 217 us in the median, 165 ms
 * seen. RENAME_EXCHANGE does not flush (14 us) and is as atomic for a reader after a kill. A left-over .tmp is the old
 * record, which the next start removes. (ARCHITECTURE R11) */
static int put_in_place(const char *tmp, const char *path)
{
	char old[PATH_SIZE + 4];

	if (EFFECT(renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_EXCHANGE)) < 0) {
		if (EFFECT(rename(tmp, path)) < 0) /* there is no record yet, or the file system has no exchange */
			return -1;
	} else if (record_sync_pending(path)) {
		EFFECT(unlink(tmp)); /* it was never synced; name.json.old was, if there is any */
	} else {
		snprintf(old, sizeof(old), "%s.old", path);
		EFFECT(rename(tmp, old));
	}
	record_sync_note(path);
	return 0;
}

static int record_put(const char *dir, const char *name, const char *text, size_t len, struct err *e)
{
	char path[PATH_SIZE], tmp[PATH_SIZE];
	auto_fd int fd = -1;

	if (record_path(path, dir, name, "", e) < 0 || record_path(tmp, dir, name, ".tmp", e) < 0)
		return -1;
	fd = EFFECT(open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "write record %s", tmp);
	if (write_all(fd, text, len) < 0 || put_in_place(tmp, path) < 0) {
		err_os(e, ERR_INTERNAL, "write record %s", path);
		EFFECT(unlink(tmp));
		return -1;
	}
	return 0;
}

int record_write(const char *dir, const char *name, int version, json_t *j, struct err *e)
{
	auto_free char *text = NULL;

	json_object_set_new(j, "version", json_integer(version));
	text = own_must(json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS));
	return record_put(dir, name, text, strlen(text), e);
}

int record_write_fields(const char *dir, const char *name, int version, const struct field *table, const void *object,
			const struct pair *more, struct err *e)
{
	struct buf text = { 0 };
	size_t head;
	int r;

	buf_printf(&text, "{\"version\":%d", version);
	if (more)
		buf_printf(&text, ",\"%s\":\"%s\"", more->key, more->value);
	head = text.len;
	fields_to_text(&text, table, object);
	text.at[head] = text.len == head + 2 ? ' ' : ','; /* "{...}" becomes ",...}" */
	r = record_put(dir, name, (const char *)text.at, text.len, e);
	buf_free(&text);
	return r;
}

static int no_record(const char *path, struct err *e)
{
	enum err_code code = ERR_UNAVAILABLE;

	if (errno == ENOENT)
		code = ERR_NOT_FOUND;
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		code = ERR_RESOURCE_EXHAUSTED;
	else if (errno == ELOOP) /* O_NOFOLLOW */
		code = ERR_DATA_LOSS;
	return err_os(e, code, "read record %s", path);
}

/* ---- one record while it is read ---- */

struct record {
	char path[PATH_SIZE];
	int version;
	char *text;   /* changed by record_fields() and put back */
	size_t len;
	size_t head;  /* bytes of the text before the members of the table; 0: not as record_write_fields() writes it */
	char *word;   /* the value of a member beside those of the table */
	json_t *json; /* NULL: not parsed */
	bool torn;    /* the text is no JSON */
};

static void record_done(struct record *r)
{
	json_decref(r->json);
	free(r->text);
	free(r->word);
	*r = (struct record){ .version = r->version };
}

static int open_patiently(const char *path)
{
	int fd;

	do
		fd = EFFECT(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	while (fd < 0 && errno == EINTR);
	return fd;
}

static int record_load(struct record *r, struct err *e)
{
	auto_fd int fd = open_patiently(r->path);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return no_record(r->path, e);
	if (!S_ISREG(st.st_mode) || st.st_size > RECORD_MAX)
		return err_set(e, ERR_DATA_LOSS, "record %s is not a file of at most %d bytes", r->path, RECORD_MAX);
	r->text = own_must(malloc((size_t)st.st_size + 1));
	n = small_file_bytes(fd, r->text, (size_t)st.st_size);
	if (n < 0)
		return no_record(r->path, e);
	r->len = (size_t)n;
	r->text[n] = '\0';
	return 0;
}

static int record_parse(struct record *r, struct err *e)
{
	if (r->json)
		return 0;
	r->json = json_parse_own(r->text, r->len, r->path, e);
	if (!r->json) {
		r->torn = true;
		e->code = ERR_DATA_LOSS;
		return -1;
	}
	if (json_get_int(r->json, "version") != r->version)
		return err_set(e, ERR_DATA_LOSS, "record %s: version %lld, this program reads %d", r->path,
			       (long long)json_get_int(r->json, "version"), r->version);
	return 0;
}

/* Does the text begin as record_write_fields() begins it? */
static void record_find_head(struct record *r)
{
	char head[40];
	size_t n = (size_t)snprintf(head, sizeof(head), "{\"version\":%d", r->version);

	r->head = strncmp(r->text, head, n) == 0 && (r->text[n] == ',' || r->text[n] == '}') ? n : 0;
}

/* parse: the whole text is looked at now. Else a text that begins well is looked at by record_fields(). */
static int record_open(struct record *r, const char *dir, const char *name, const char *suffix, bool parse,
		       struct err *e)
{
	if (record_path(r->path, dir, name, suffix, e) < 0 || record_load(r, e) < 0)
		return -1;
	record_find_head(r);
	return parse || !r->head ? record_parse(r, e) : 0;
}

json_t *record_read(const char *dir, const char *name, int version, struct err *e)
{
	struct record r = { .version = version };
	json_t *j = record_open(&r, dir, name, "", true, e) == 0 ? json_incref(r.json) : NULL;

	record_done(&r);
	return j;
}

const char *record_word(struct record *r, const char *key, struct err *e)
{
	const char *word = NULL;
	char name[80];
	size_t at, n = (size_t)snprintf(name, sizeof(name), ",\"%s\":\"", key);

	if (r->head && strncmp(r->text + r->head, name, n) == 0) {
		at = r->head + n;
		n = strcspn(r->text + at, "\"\\");
		if (r->text[at + n] == '"') {
			free(r->word);
			r->head = at + n + 1;
			return r->word = own_must(strndup(r->text + at, n));
		}
	}
	if (record_parse(r, e) == 0) {
		word = json_string_value(json_object_get(r->json, key));
		if (!word)
			err_set(e, ERR_INTERNAL, "it has no %s", key);
	}
	return word;
}

/* The members behind the head are the object of the table once the comma before them is a brace. */
static bool record_parse_fields(struct record *r, const struct field *table, void *object, struct arena *a)
{
	bool good;

	if (r->json || !r->head || r->text[r->head] != ',')
		return false;
	r->text[r->head] = '{';
	good = fields_parse(r->text + r->head, r->len - r->head, table, object, a);
	r->text[r->head] = ',';
	return good;
}

int record_fields(struct record *r, const struct field *table, void *object, struct arena *a, struct err *e)
{
	if (record_parse_fields(r, table, object, a))
		return 0;
	return record_parse(r, e) < 0 ? -1 : fields_from_json(table, object, r->json, a, e);
}

/* ---- all records ---- */

/* The older generation goes first: alone it would be a record again. */
void record_remove(const char *dir, const char *name)
{
	static const char *const suffixes[] = { ".old", "", ".corrupt" };
	char path[PATH_SIZE];
	struct err e;

	if (record_path(path, dir, name, "", &e) < 0)
		return;
	for (int i = record_sync_pending(path) ? 0 : 1; i < 3; i++)
		if (record_path(path, dir, name, suffixes[i], &e) == 0 && EFFECT(unlink(path)) < 0 && errno != ENOENT)
			log_warn("record_remove path=%s error=%s", log_quote(path), log_quote(strerror(errno)));
	if (record_path(path, dir, name, "", &e) == 0)
		record_sync_forget(path);
}

/* How it is lost then. */
static enum record_loss set_aside(const char *dir, const char *name, const struct err *why)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	struct err e;

	log_error("record_corrupt record=%s/%s error=%s", dir, name, log_quote(why->msg));
	if (record_path(from, dir, name, "", &e) < 0 || record_path(to, dir, name, ".corrupt", &e) < 0 ||
	    EFFECT(rename(from, to)) < 0) {
		log_error("record_corrupt record=%s/%s error=\"cannot be set aside\"", dir, name);
		return RECORD_UNREAD;
	}
	return RECORD_DAMAGED;
}

void lost_records_add(struct lost_records *lost, const char *name)
{
	if (!map_get(&lost->names, name))
		map_put(&lost->names, own_must(strdup(name)), lost);
}

bool lost_records_have(const struct lost_records *lost, const char *name)
{
	return map_get(&lost->names, name) != NULL;
}

size_t lost_records_count(const struct lost_records *lost, const char **first)
{
	const struct map_slot *slot = map_next(&lost->names, NULL);

	*first = slot ? slot->key : NULL;
	return lost->names.used;
}

struct reading {
	const char *dir;
	int version;
	record_fn *fn;
	record_lost_fn *lost;
	void *arg;
};

static void record_lost(const struct reading *r, const char *name, enum record_loss how)
{
	if (r->lost)
		r->lost(r->arg, name, how);
}

/* After a power cut: the generation that was synced last takes the place of a record that says nothing. It is
 * name.json.old, or name.json.tmp where the power went between two renames of record_put(). 1: it does; 0: there is
 * none; -1: it cannot be told, and nothing is changed. */
static int older_generation(const struct reading *in, const char *name, const char *path, struct record *r,
			    struct err *e)
{
	static const char *const suffixes[] = { ".old", ".tmp" };
	struct err why;

	for (int i = 0; i < 2; i++) {
		record_done(r);
		if (record_open(r, in->dir, name, suffixes[i], true, &why) < 0) {
			if (why.code != ERR_RESOURCE_EXHAUSTED && why.code != ERR_UNAVAILABLE)
				continue;
			*e = why;
			return -1;
		}
		if (EFFECT(rename(r->path, path)) < 0) {
			err_os(e, ERR_INTERNAL, "rename %s", r->path);
			e->code = e->code == ERR_INTERNAL ? ERR_UNAVAILABLE : e->code;
			return -1;
		}
		log_warn("record_torn record=%s/%s effect=\"the older one is used\"", in->dir, name);
		return 1;
	}
	return 0;
}

/* What the first start of a boot finds beside a record: it was read from the disk, so it needs none of them. */
static void drop_older(const struct reading *r, const char *name)
{
	static const char *const suffixes[] = { ".old", ".tmp" };
	char path[PATH_SIZE];
	struct err e;

	for (int i = 0; i < 2; i++)
		if (record_path(path, r->dir, name, suffixes[i], &e) == 0)
			EFFECT(unlink(path));
}

/* *gone: nothing is left of the record but its name. */
static int read_generation(const struct reading *in, const char *name, struct record *r, bool *gone, struct err *e)
{
	int failed = record_open(r, in->dir, name, "", boot_is_new(), e);
	bool torn = failed && r->torn;
	char path[PATH_SIZE];
	int older;

	*gone = false;
	if (!boot_is_new())
		return failed;
	memcpy(path, r->path, sizeof(path));
	older = torn ? older_generation(in, name, path, r, e) : 0;
	if (older > 0)
		failed = 0;
	*gone = failed && torn && older == 0;
	if (*gone) {
		log_warn("record_torn record=%s/%s effect=\"removed: nothing of it lives after the power cut\"",
			 in->dir, name);
		EFFECT(unlink(path));
	}
	if (!failed || *gone)
		drop_older(in, name);
	return failed;
}

static int read_one(const struct reading *in, const char *name, struct err *e)
{
	struct record r = { .version = in->version };
	bool gone, is_read = read_generation(in, name, &r, &gone, e) == 0;
	bool good = is_read && in->fn(in->arg, name, &r, e) == 0;
	enum record_loss how = RECORD_UNREAD;

	record_done(&r);
	if (good)
		return 0;
	if (gone)
		return record_lost(in, name, RECORD_TORN), 0;
	if (e->code == ERR_RESOURCE_EXHAUSTED)
		return -1;
	if (!is_read && e->code == ERR_NOT_FOUND) /* removed after the directory was read */
		return 0;
	if (e->code == ERR_UNAVAILABLE)
		log_error("record_unreadable record=%s/%s error=%s", in->dir, name, log_quote(e->msg));
	else
		how = set_aside(in->dir, name, e);
	record_lost(in, name, how);
	return 0;
}

/* false also where it cannot be told: then nothing is removed. */
static bool record_is_gone(const char *dir, const char *name, const char *suffix)
{
	char path[PATH_SIZE];
	struct stat st;
	struct err e;

	return record_path(path, dir, name, suffix, &e) == 0 && lstat(path, &st) < 0 && errno == ENOENT;
}

/* What is beside a record. A damaged one keeps its older generation, for an operator. */
static bool entry_is_needless(const struct reading *r, const char *name, bool old)
{
	if (boot_is_new()) /* read_one() may need it, and removes it */
		return record_is_gone(r->dir, name, "");
	return !old || (record_is_gone(r->dir, name, "") && record_is_gone(r->dir, name, ".corrupt"));
}

static int read_entry(const struct reading *r, int dir_fd, const char *file, struct err *e)
{
	static const char *const suffixes[] = { ".json.tmp", ".json.old", ".json", ".json.corrupt" };
	enum { TMP, OLD, RECORD, CORRUPT, NONE };
	auto_free char *name = NULL;
	char path[PATH_SIZE];
	int i = TMP;

	while (i < NONE && !word_ends_in(file, suffixes[i]))
		i++;
	if (i == NONE)
		return 0;
	name = own_must(strndup(file, strlen(file) - strlen(suffixes[i])));
	if (i == RECORD)
		return read_one(r, name, e);
	if (i == TMP || i == OLD) {
		if (entry_is_needless(r, name, i == OLD))
			EFFECT(unlinkat(dir_fd, file, 0));
		else if (!boot_is_new() && record_path(path, r->dir, name, "", e) == 0 && access(path, F_OK) == 0)
			record_sync_note(path); /* an earlier crispd wrote it, and perhaps did not see it synced */
		return 0;
	}
	if (!record_is_gone(r->dir, name, ""))
		return 0; /* it has an entry of its own */
	log_warn("record_corrupt record=%s/%s effect=\"left alone until the file is removed\"", r->dir, file);
	record_lost(r, name, RECORD_DAMAGED);
	return 0;
}

int record_each(const char *dir, int version, record_fn *fn, record_lost_fn *lost, void *arg, struct err *e)
{
	const struct reading r = { dir, version, fn, lost, arg };
	auto_dir DIR *d = NULL;
	struct dirent *entry;

	if (EFFECT(mkdir(dir, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", dir);
	d = opendir(dir);
	if (!d)
		return err_os(e, ERR_INTERNAL, "read %s", dir);
	while (errno = 0, (entry = readdir(d)))
		if (read_entry(&r, dirfd(d), entry->d_name, e) < 0)
			return -1;
	return errno ? err_os(e, ERR_INTERNAL, "read %s", dir) : 0;
}
