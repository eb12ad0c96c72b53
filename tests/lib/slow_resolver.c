/* slow_resolver.c - preloaded into crispd: the look-up of a name below .slow.test fails after six seconds. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int resolve(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res);

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
	resolve *next = (resolve *)dlsym(RTLD_NEXT, "getaddrinfo");

	if (!node || !strstr(node, ".slow.test"))
		return next(node, service, hints, res);
	sleep(6);
	return EAI_NONAME;
}
