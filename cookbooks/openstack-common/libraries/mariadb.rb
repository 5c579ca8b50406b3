# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackCommon
  # MariaDB through its own client. SQL goes in by stdin and passwords by the environment,
  # so that neither is in any process list.
  class Mariadb
    class Error < RuntimeError; end

    # root over the Unix socket: only on the database's own node
    def self.root
      new('root')
    end

    # @param host [String, nil] nil: the Unix socket
    def initialize(user, password: nil, host: nil, port: 3306, database: nil)
      @user = user
      @password = password
      @argv = ['mariadb', '--batch', '--skip-column-names', "--user=#{user}"]
      @argv += ["--host=#{host}", "--port=#{port}"] if host
      @argv << "--database=#{database}" if database
    end

    # @param secrets [Array<String>] what an error's text must not show
    # @return [Array<Array<String>>] the rows, their columns as text
    # @raise [Error] the server refused, with its own words
    def query(sql, secrets: [])
      ran = Mixlib::ShellOut.new(@argv, input: sql, timeout: 120, environment: { 'MYSQL_PWD' => @password, 'LC_ALL' => 'C.UTF-8' })
      ran.run_command
      return ran.stdout.lines(chomp: true).map { |line| line.split("\t", -1) } unless ran.error?

      words = secrets.compact.inject(ran.stderr.strip) { |acc, elem| acc.gsub(elem, '********') }
      raise Error, "MariaDB, user #{@user}: #{words}"
    end

    # @return [Boolean] whether the server takes this user, password and database; false, too, if it isn't there
    def login?
      query('SELECT 1').any?
    rescue Error
      false
    end

    # @return [String] a string as an SQL literal
    def self.quote(text)
      "'#{text.gsub(/['\\]/) { |character| "\\#{character}" }}'"
    end
  end
end
