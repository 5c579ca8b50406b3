# frozen_string_literal: true

# Empty: this cookbook provides only resources, helpers and attributes.
