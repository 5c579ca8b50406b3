# frozen_string_literal: true

module OpenstackCommon
  # Finds the newest revisions of a schema in the migrations of the installed package.
  # The *-manage commands can do the same, but take seconds to start.
  module Alembic
    module_function

    # @param directories [Array<String>] directories that contain the migrations; subdirectories are searched too
    # @return [Array<String>] the revisions on which no other one is based, sorted: the content of alembic_version after an upgrade
    # @raise [RuntimeError] no migrations were found
    def heads(directories)
      texts = directories.flat_map { |directory| Dir.glob(File.join(directory, '**', '*.py')) }.map { |file| File.read(file) }
      revisions = texts.filter_map { |text| text[/^revision\s*(?::[^=\n]+)?=\s*['"]([^'"]+)['"]/, 1] }
      raise "no migrations in #{directories.join(', ')}; check that the package is installed" if revisions.empty?

      (revisions - texts.flat_map { |text| parents(text) }).sort
    end

    # @return [Array<String>] the revisions on which a migration is based: its parents, and its dependencies in other branches
    def parents(text)
      text.scan(/^(?:down_revision|depends_on)\s*(?::[^=\n]+)?=\s*(\([^)]*\)|\[[^\]]*\]|[^\n]*)/).flat_map do |(value)|
        value.scan(/['"]([^'"]+)['"]/).flatten
      end
    end
  end
end
