# The keeper's tests run the real keeper, which stands beside the archives of the rooms.
$(BUILD)/tests/unit/procs/test_keeper $(BUILD)/tests/unit/procs/keeper/test_crash \
	$(BUILD)/tests/unit/procs/keeper/test_parent $(BUILD)/tests/unit/procs/keeper/test_ns $(BUILD)/tests/unit/procs/keeper/test_pin: | $(BUILD)/crisp-keeper $(BUILD)/crisp-anchor
$(BUILD)/tests/fuzz/fuzz_keeper: $(BUILD)/procs/keeper/ns_request.o
$(BUILD)/tests/unit/procs/anchor/test_anchor: | $(BUILD)/crisp-anchor
$(BUILD)/tests/unit/procs/keeper/test_upgrade $(BUILD)/tests/unit/procs/keeper/test_ready: | $(BUILD)/crisp-keeper $(BUILD)/crisp-anchor
$(BUILD)/tests/unit/procs/keeper/test_silence: $(BUILD)/procs/keeper/silence.o
$(BUILD)/tests/unit/procs/keeper/test_hold: $(BUILD)/procs/keeper/hold.o
$(BUILD)/tests/unit/procs/keeper/test_underway: $(BUILD)/procs/keeper/underway.o
