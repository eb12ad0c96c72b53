# The pump moves real bytes; only the keeper is played.
$(BUILD)/tests/unit/procs/test_log_pump $(BUILD)/tests/unit/procs/test_log_stage: $(BUILD)/tests/fakes/keeper.o
