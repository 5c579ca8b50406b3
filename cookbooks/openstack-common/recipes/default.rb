# frozen_string_literal: true

# This cookbook brings resources and helpers only; its attributes are loaded with it.
