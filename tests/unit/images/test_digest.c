/* test_digest.c - sha256 names. */
#include "images/digest.h"
#include "tests/tap.h"

#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void known_answers(void)
{
	char d[DIGEST_SIZE];

	digest_of("", 0, d);
	is_str(d, EMPTY);
	digest_of("abc", 3, d);
	is_str(d, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	is_str(digest_hex(EMPTY), &EMPTY[7]);
}

static void in_pieces(void)
{
	struct digest_state *s = digest_new();
	char whole[DIGEST_SIZE], pieces[DIGEST_SIZE];

	digest_update(s, "a", 1);
	digest_update(s, "", 0);
	digest_update(s, "bc", 2);
	digest_final(s, pieces);
	digest_of("abc", 3, whole);
	is_str(pieces, whole);
	digest_free(digest_new());
}

static void only_sha256_is_a_digest(void)
{
	ok(digest_valid(EMPTY));
	ok(!digest_valid(""));
	ok(!digest_valid("sha256:"));
	ok(!digest_valid(EMPTY "0"));
	ok(!digest_valid("sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	ok(!digest_valid("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
	ok(!digest_valid(&EMPTY[7]));
	ok(!digest_valid("sha256:../../../../etc/passwd0000000000000000000000000000000000000000000"));
}

int main(void)
{
	known_answers();
	in_pieces();
	only_sha256_is_a_digest();
	return tap_end();
}
