# The pump moves real bytes; only the keeper is played.
$(patsubst %,$(BUILD)/tests/unit/procs/%,test_log_pump test_log_stage test_log_unreadable): $(BUILD)/tests/fakes/keeper.o
