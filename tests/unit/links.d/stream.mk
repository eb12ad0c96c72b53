# Streaming execs and attaches run against the same fakes as the other machines of a container.
$(BUILD)/tests/unit/procs/test_exec_stream $(BUILD)/tests/unit/procs/test_attach: $(run.fakes)
