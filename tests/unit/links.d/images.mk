# Machines of images/ run against a clock, servers and an unpacker in memory.
$(BUILD)/tests/unit/images/test_store $(BUILD)/tests/unit/images/test_snapshot: $(BUILD)/tests/fakes/clock.o $(BUILD)/tests/fakes/unpack.o $(BUILD)/tests/fakes/http.o
$(BUILD)/tests/unit/images/test_registry $(BUILD)/tests/unit/images/registry/test_auth $(BUILD)/tests/unit/images/pull/test_fetch $(BUILD)/tests/unit/images/test_pull: $(BUILD)/tests/fakes/clock.o $(BUILD)/tests/fakes/unpack.o $(BUILD)/tests/fakes/http.o
