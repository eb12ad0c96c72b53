/* net_ip.c - see net_ip.h. */
#include "procs/net_ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned net_ip_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

unsigned net_ip_bits(int family)
{
	return net_ip_size(family) * 8;
}

int net_ip_parse(struct net_ip *out, const char *text)
{
	static const uint8_t zeros[12];

	*out = (struct net_ip){ strchr(text, ':') ? AF_INET6 : AF_INET, { 0 } };
	if (inet_pton(out->family, text, out->bytes) != 1)
		return -1;
	if (out->family == AF_INET)
		return 0;
	if (strchr(text, '.') ||
	    (memcmp(out->bytes, zeros, 10) == 0 && out->bytes[10] == 0xff && out->bytes[11] == 0xff))
		return -1;
	/* ::/96 but :: itself */
	return memcmp(out->bytes, zeros, sizeof(zeros)) == 0 && memcmp(out->bytes + 12, zeros, 4) != 0 ? -1 : 0;
}

int net_prefix_parse(struct net_prefix *out, const char *text)
{
	char ip[NET_IP_TEXT];
	size_t n = strcspn(text, "/");
	char *end;

	if (n >= sizeof(ip) || text[n] != '/' || text[n + 1] < '0' || text[n + 1] > '9')
		return -1;
	memcpy(ip, text, n);
	ip[n] = '\0';
	out->len = (unsigned)strtoul(text + n + 1, &end, 10);
	if (*end || end - (text + n + 1) > 3 || net_ip_parse(&out->ip, ip) < 0 ||
	    out->len > net_ip_bits(out->ip.family))
		return -1;
	return 0;
}

const char *net_ip_text(const struct net_ip *ip, char out[NET_IP_TEXT])
{
	return inet_ntop(ip->family, ip->bytes, out, NET_IP_TEXT) ? out : "";
}

const char *net_prefix_text(const struct net_prefix *prefix, char out[NET_PREFIX_TEXT])
{
	char ip[NET_IP_TEXT];

	snprintf(out, NET_PREFIX_TEXT, "%s/%u", net_ip_text(&prefix->ip, ip), prefix->len % 1000);
	return out;
}

int net_ip_cmp(const struct net_ip *x, const struct net_ip *y)
{
	if (x->family != y->family)
		return x->family - y->family;
	return memcmp(x->bytes, y->bytes, net_ip_size(x->family));
}

void net_ip_next(struct net_ip *ip)
{
	for (unsigned i = net_ip_size(ip->family); i-- > 0 && ++ip->bytes[i] == 0;)
		;
}

void net_ip_mask(int family, unsigned len, uint8_t out[16])
{
	memset(out, 0, 16);
	for (unsigned i = 0; i < len && i < net_ip_bits(family); i++)
		out[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

struct net_ip net_ip_network(const struct net_prefix *prefix)
{
	struct net_ip ip = prefix->ip;
	uint8_t mask[16];

	net_ip_mask(ip.family, prefix->len, mask);
	for (unsigned i = 0; i < net_ip_size(ip.family); i++)
		ip.bytes[i] &= mask[i];
	return ip;
}

struct net_ip net_ip_last(const struct net_prefix *prefix)
{
	struct net_ip ip = prefix->ip;
	uint8_t mask[16];

	net_ip_mask(ip.family, prefix->len, mask);
	for (unsigned i = 0; i < net_ip_size(ip.family); i++)
		ip.bytes[i] |= (uint8_t)~mask[i];
	return ip;
}

bool net_prefix_has(const struct net_prefix *prefix, const struct net_ip *ip)
{
	struct net_prefix of = { *ip, prefix->len };
	struct net_ip x = net_ip_network(prefix), y = net_ip_network(&of);

	return net_ip_cmp(&x, &y) == 0;
}
