# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackCommon
  # Runs SQL with the command mariadb. Passes SQL on stdin and passwords in the environment, so that
  # neither shows up in process lists.
  class Mariadb
    class Error < RuntimeError; end

    # root, over the Unix socket: works only on the node that runs MariaDB
    def self.root
      new('root')
    end

    # @param host [String, nil] nil: the Unix socket
    # @param ca [String, nil] the file of the CA that has to have signed the server's certificate
    def initialize(user, password: nil, host: nil, port: 3306, database: nil, ca: nil)
      @user = user
      @password = password
      @argv = ['mariadb', '--batch', '--skip-column-names', "--user=#{user}"]
      @argv += ["--host=#{host}", "--port=#{port}"] if host
      @argv += ["--ssl-ca=#{ca}", '--ssl-verify-server-cert'] if ca
      @argv << "--database=#{database}" if database
    end

    # @param secrets [Array<String>] texts to mask in errors
    # @return [Array<Array<String>>] the rows, their columns as text
    # @raise [Error] the server rejected it; has the server's message
    def query(sql, secrets: [])
      ran = Mixlib::ShellOut.new(@argv, input: sql, timeout: 120, environment: { 'MYSQL_PWD' => @password, 'LC_ALL' => 'C.UTF-8' })
      ran.run_command
      return ran.stdout.lines(chomp: true).map { |line| line.split("\t", -1) } unless ran.error?

      words = secrets.compact.inject(ran.stderr.strip) { |acc, elem| acc.gsub(elem, '********') }
      raise Error, "MariaDB, user #{@user}: #{words}"
    end

    # @return [Boolean] whether this login to the server and database works; false also if the server does not respond
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
