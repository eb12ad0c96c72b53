# The CLI is a program of its own: its objects are in no archive.
$(BUILD)/tests/unit/handlers/test_cli_json: $(BUILD)/handlers/cli_json.o
