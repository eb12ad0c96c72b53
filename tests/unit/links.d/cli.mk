# The CLI is a program of its own: its objects are in no archive.
cli_test = $(BUILD)/tests/unit/handlers/cli/test_$(1): $(patsubst %,$(BUILD)/handlers/cli/%.o,$(2))
$(call cli_test,json,json)
$(call cli_test,args,args)
$(call cli_test,log_copy,log_copy log_line log_tail log_time outlet)
$(call cli_test,log_time,log_time)
$(call cli_test,log_tail,log_tail log_line)
$(call cli_test,page,page)
$(call cli_test,yaml,yaml)
$(call cli_test,import,import import_rows yaml)
$(call cli_test,message,message)
$(call cli_test,scrub,scrub)
$(call cli_test,capture,capture)
$(call cli_test,remote_end,remote_end)
$(call cli_test,upgrade,upgrade)
$(call cli_test,run_options,run_options)
$(call cli_test,remote,remote remote_end spdy_client upgrade outlet terminal)
# As fuzz.a must have what tests/fuzz/fuzz_cli_*.c call.
fuzz-objects: $(BUILD)/handlers/cli/json.o $(BUILD)/handlers/cli/log_line.o $(BUILD)/handlers/cli/scrub.o
