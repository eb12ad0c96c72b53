# Numbers are read from files that a test wrote; an update meets a runtime that does as it is told.
$(BUILD)/tests/unit/procs/test_update: $(run.fakes)
$(BUILD)/tests/unit/procs/test_exec_inside: $(run.fakes)
$(BUILD)/tests/unit/procs/test_stats: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/test_events: $(BUILD)/tests/fakes/world.o
$(addprefix $(BUILD)/tests/unit/handlers/test_,listing events_rpc): $(BUILD)/tests/fakes/rpc.o $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/procs/test_exec_tree: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/handlers/test_about $(BUILD)/tests/unit/handlers/test_why $(BUILD)/tests/unit/handlers/test_recover: $(BUILD)/tests/fakes/world.o
$(BUILD)/tests/unit/reactor/test_work: $(BUILD)/tests/fakes/clock.o
$(BUILD)/tests/unit/reactor/test_log_repeat $(BUILD)/tests/unit/handlers/test_late_listen: $(BUILD)/tests/fakes/clock.o
