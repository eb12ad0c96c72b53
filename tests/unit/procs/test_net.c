/* test_net.c - crispd's end of crisp-net: what each operation gets when the helper answers, fails, dies or is silent.
 *
 * The test is the helper. */
#include "procs/net.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procs/net/proto.h"
#include "reactor/imsg.h"
#include "tests/fakes/child.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

/* What the helper that is played now has got. */
static struct imsg_chan *helper;
static uint32_t types[16];
static uint64_t tags[16];
static int ntypes, living;
static char first_id[32];

static int calls;
static bool left;
static enum err_code code;
static char words[1024], text[64], ip[32];

static void on_message(void *arg, struct imsg *m)
{
	struct get g = get_from(m);

	(void)arg;
	if (m->type == NET_ADD || m->type == NET_DEL)
		snprintf(first_id, sizeof(first_id), "%s", get_str(&g));
	types[ntypes] = m->type;
	tags[ntypes++ % 16] = m->tag;
}

static void on_gone(void *arg)
{
	(void)arg;
}

/* Plays the helper that was started as the nth child. */
static void play(int nth)
{
	if (helper)
		imsg_close(helper);
	helper = imsg_open(fcntl(fake_children[nth].fds[NET_SOCKET], F_DUPFD_CLOEXEC, 200), on_message, on_gone, NULL);
	ntypes = 0;
	world_settle();
}

static void on_done(void *arg, const struct err *e, bool is_left, const struct net_result *r)
{
	(void)arg;
	calls++;
	left = is_left;
	code = e ? e->code : ERR_OK;
	snprintf(words, sizeof(words), "%s", e ? e->msg : "");
	snprintf(text, sizeof(text), "%s", r->text);
	snprintf(ip, sizeof(ip), "%s", r->ips.n ? r->ips.at[0] : "");
}

static int refits;

static void on_fits_changed(void)
{
	refits++;
}

static void on_living(void)
{
	living++;
}

static struct net_pod pod(void)
{
	return (struct net_pod){ .id = "pod1", .netns_path = "/run/netns/x", .conf = "{}", .args = "", .caps = "{}",
				 .result = "" };
}

static struct net_op *add(void)
{
	struct net_pod p = pod();

	calls = 0;
	return net_add(&p, on_done, NULL);
}

static struct net_op *del(void)
{
	struct net_pod p = pod();

	calls = 0;
	return net_del(&p, on_done, NULL);
}

static void say(uint32_t type, uint64_t tag, struct buf *body)
{
	struct err e;

	ok(imsg_send(helper, type, tag, body, NULL, 0, &e) == 0);
	buf_free(body);
	world_settle();
}

static void answer(uint64_t tag, const char *result, const char *address)
{
	const char *const ips[] = { address, NULL };
	struct buf body = { 0 };

	put_str(&body, result);
	put_strv(&body, address ? ips : (const char *const[]){ NULL });
	say(NET_DONE, tag, &body);
}

static void an_answer_is_the_result(void)
{
	add();
	ok(fake_nchildren == 1 && calls == 0 && living == 1);
	play(0);
	ok(ntypes == 2 && types[0] == NET_HELLO && types[1] == NET_ADD && strcmp(first_id, "pod1") == 0);
	answer(tags[1] + 7, "{}", "10.0.0.9"); /* of nobody */
	ok(calls == 0);
	answer(tags[1], "{\"a\":1}", "10.0.0.2");
	ok(calls == 1 && code == ERR_OK);
	is_str(text, "{\"a\":1}");
	is_str(ip, "10.0.0.2");
	del();
	world_settle();
	ok(ntypes == 3 && types[2] == NET_DEL && fake_nchildren == 1);
	answer(tags[2], "", NULL);
	ok(calls == 1 && code == ERR_OK);
	add();
	world_settle();
	answer(tags[3], "{}", NULL); /* an ADD without an address is no success */
	ok(calls == 1 && code == ERR_INTERNAL && left && strstr(words, "cannot be read"));
	add();
	net_cancel(add());
	world_settle();
	answer(tags[5], "{}", "10.0.0.3");
	ok(calls == 0);
	answer(tags[4], "{}", "10.0.0.3");
	ok(calls == 1);
}

static void a_failure_has_its_code(void)
{
	struct buf body = { 0 };

	add();
	world_settle();
	put_u32(&body, ERR_RESOURCE_EXHAUSTED);
	put_str(&body, "no address is free");
	put_u32(&body, 0);
	say(NET_FAILED, tags[ntypes - 1], &body);
	ok(calls == 1 && code == ERR_RESOURCE_EXHAUSTED && !left && strcmp(words, "no address is free") == 0);
	add();
	world_settle();
	put_u32(&body, 999); /* no code of ours */
	put_str(&body, "odd");
	put_u32(&body, 1);
	say(NET_FAILED, tags[ntypes - 1], &body);
	ok(calls == 1 && code == ERR_INTERNAL && left);
}

static void lost_rules_are_made_again(void)
{
	struct buf body = { 0 };
	int before = living;

	say(NET_LOST, 0, &body);
	ok(living == before + 1);
}

#define IPAM "\"ipam\": {\"type\": \"host-local\", \"subnet\": \"10.9.0.0/24\"}"
#define CONF(keys) \
	"{\"name\": \"n\", \"cniVersion\": \"1.0.0\", \"plugins\": [{\"type\": \"bridge\", " keys IPAM "}]}"

static void able(const char *why)
{
	struct buf body = { 0 };

	put_str(&body, why);
	say(NET_ABLE, 0, &body);
}

/* What needs no rules goes natively without them. */
static void a_kernel_that_cannot_masquerade(void)
{
	static const char masqueraded[] = CONF("\"ipMasq\": true, "), bare[] = CONF("");
	struct err e;

	ok(net_fits(masqueraded, &e) == 0 && net_fits(bare, &e) == 0);
	able("");
	ok(refits == 0);
	able("no nft_masq");
	ok(refits == 1 && net_fits(masqueraded, &e) < 0 && e.code == ERR_UNIMPLEMENTED);
	is_str(e.msg, "no nft_masq");
	ok(net_fits(bare, &e) == 0);
	able("");
	ok(refits == 2 && net_fits(masqueraded, &e) == 0);
}

/* A spare one is started a second after the first, and takes its place. */
static void a_helper_that_dies_is_replaced(void)
{
	world_advance(1000);
	ok(fake_nchildren == 2);
	add();
	world_settle();
	fake_child_exit(&fake_children[0], 139, "", "");
	world_settle();
	ok(calls == 1 && code == ERR_UNAVAILABLE && left && strstr(words, "ended: "));
	del();
	ok(fake_nchildren == 2);
	play(1);
	ok(ntypes == 2 && types[0] == NET_HELLO && types[1] == NET_DEL);
	world_advance(1000);
	ok(fake_nchildren == 3);
	fake_child_exit(&fake_children[1], 139, "", "");
	world_settle();
	ok(calls == 0); /* a DEL is done again */
	play(2);
	ok(ntypes == 2 && types[1] == NET_DEL);
	fake_child_exit(&fake_children[2], 139, "", "");
	world_settle();
	ok(calls == 1 && code == ERR_INTERNAL && left); /* helpers die of it */
}

static void silence_has_an_end(void)
{
	int n;

	del();
	n = fake_nchildren;
	play(n - 1);
	world_advance(119999);
	ok(calls == 0);
	world_advance(1);
	ok(calls == 1 && code == ERR_DEADLINE_EXCEEDED && left && fake_children[n - 1].cancelled);
}

static void without_a_keeper(void)
{
	int n;

	add();
	n = fake_nchildren - 1;
	while (n >= 0 && !fake_children[n].done)
		n--;
	fake_child_fail(&fake_children[n], ERR_UNAVAILABLE, "no keeper");
	world_settle();
	ok(calls == 1 && code == ERR_UNAVAILABLE && left);
}

int main(void)
{
	static const struct net_config cfg = { "/libexec/crisp-net", "/run/net.lock", "/var/lib/cni", "/root",
					       on_living, on_fits_changed };

	net_open(&cfg);
	an_answer_is_the_result();
	a_failure_has_its_code();
	lost_rules_are_made_again();
	a_kernel_that_cannot_masquerade();
	a_helper_that_dies_is_replaced();
	silence_has_an_end();
	without_a_keeper();
	return tap_end();
}
