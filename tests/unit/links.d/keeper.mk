# The keeper's tests run the real keeper, which stands beside the archives of the rooms.
$(BUILD)/tests/unit/procs/test_keeper $(BUILD)/tests/unit/procs/test_keeper_crash \
	$(BUILD)/tests/unit/procs/test_keeper_parent: | $(BUILD)/crisp-keeper
$(BUILD)/tests/fuzz/fuzz_keeper: $(BUILD)/procs/keeper_ns_request.o
