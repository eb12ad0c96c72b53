# The HTTP client's tests bring their own server; what they override of libc (getaddrinfo) stands in the test itself.
$(BUILD)/tests/unit/reactor/test_http_client $(BUILD)/tests/unit/reactor/test_http_cancel: $(BUILD)/tests/fakes/http_peer.o
# This one says where the system's CAs are.
$(BUILD)/tests/unit/reactor/test_http_tls: LDFLAGS += -Wl,--wrap=curl_version_info
