# The keeper's tests run the real keeper, which stands two rooms up from them.
$(BUILD)/tests/unit/procs/test_keeper $(BUILD)/tests/unit/procs/test_keeper_crash: | $(BUILD)/crisp-keeper
