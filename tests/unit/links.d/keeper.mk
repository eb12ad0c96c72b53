# The keeper's tests run the real keeper, which stands beside the archives of the rooms.
$(BUILD)/tests/unit/procs/test_keeper $(BUILD)/tests/unit/procs/keeper/test_crash \
	$(BUILD)/tests/unit/procs/keeper/test_parent: | $(BUILD)/crisp-keeper
$(BUILD)/tests/fuzz/fuzz_keeper: $(BUILD)/procs/keeper/ns_request.o
