# The CLI is a program of its own: its objects are in no archive.
$(BUILD)/tests/unit/handlers/cli/test_json: $(BUILD)/handlers/cli/json.o
$(BUILD)/tests/unit/handlers/cli/test_args: $(BUILD)/handlers/cli/args.o
$(BUILD)/tests/unit/handlers/cli/test_log_copy: $(BUILD)/handlers/cli/log_copy.o $(BUILD)/handlers/cli/log_line.o
$(BUILD)/tests/unit/handlers/cli/test_page: $(BUILD)/handlers/cli/page.o
# As fuzz.a must have what tests/fuzz/fuzz_cli_*.c call.
fuzz-objects: $(BUILD)/handlers/cli/json.o $(BUILD)/handlers/cli/log_line.o
