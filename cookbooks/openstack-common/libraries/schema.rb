# frozen_string_literal: true

require 'mixlib/shellout'
require_relative 'mariadb'

module OpenstackCommon
  # A database schema that a *-manage command upgrades with Alembic. These commands know the newest revision, but take seconds
  # to start. So after an upgrade its result is saved: the version of the package, and the revisions that the database then had. As
  # long as both are the same, the schema is up to date.
  class Schema
    DIRECTORY = '/var/lib/openstack/schemas'

    # @param name [String] the database
    # @param package [String] the Debian package with the migrations
    # @param connection [OpenstackCommon::Mariadb] to this database
    def initialize(name, package, connection)
      @name = name
      @package = package
      @connection = connection
    end

    # @return [String] the file with the saved result
    def path
      File.join(DIRECTORY, @name)
    end

    # @param others [Array<String>] results that other nodes have saved
    def up_to_date?(others = [])
      saved = File.exist?(path) ? [File.read(path), *others] : others
      saved.any? && saved.include?(state)
    end

    # @return [String] a line with the package and its version, and one for each revision in the database
    def state
      version = Mixlib::ShellOut.new('dpkg-query', '--show', @package).run_command
      version.error!
      [version.stdout.chomp, *revisions].map { |line| "#{line}\n" }.join
    end

    private

    def revisions
      @connection.query('SELECT version_num FROM alembic_version ORDER BY version_num').flatten
    rescue Mariadb::Error => e
      raise unless e.message.include?('ERROR 1146') # there is no such table

      []
    end
  end
end
