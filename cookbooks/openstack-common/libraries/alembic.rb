# frozen_string_literal: true

module OpenstackCommon
  # The schema's newest revisions, read from the migrations that a package brings.
  # A *-manage command knows them too, but takes seconds to start.
  module Alembic
    module_function

    # @param directories [Array<String>] where the migrations are, below them too
    # @return [Array<String>] the revisions that no other one builds on, sorted: what alembic_version holds at head
    # @raise [RuntimeError] there are none: the package isn't there, or keeps them elsewhere
    def heads(directories)
      texts = directories.flat_map { |directory| Dir.glob(File.join(directory, '**', '*.py')) }.map { |file| File.read(file) }
      revisions = texts.filter_map { |text| text[/^revision\s*(?::[^=\n]+)?=\s*['"]([^'"]+)['"]/, 1] }
      raise "no migrations in #{directories.join(', ')}; check that the package is installed" if revisions.empty?

      (revisions - texts.flat_map { |text| parents(text) }).sort
    end

    # @return [Array<String>] what a migration builds on: its parents, and what it depends on in other branches
    def parents(text)
      text.scan(/^(?:down_revision|depends_on)\s*(?::[^=\n]+)?=\s*(\([^)]*\)|\[[^\]]*\]|[^\n]*)/).flat_map do |(value)|
        value.scan(/['"]([^'"]+)['"]/).flatten
      end
    end
  end
end
