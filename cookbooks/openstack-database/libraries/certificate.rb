# frozen_string_literal: true

require 'fileutils'

module OpenstackDatabase
  # The certificate of a MariaDB that runs.
  module Certificate
    # written when MariaDB has loaded a renewed certificate; gone after a boot, as the MariaDB that has loaded it
    LOADED = '/run/openstack-mariadb-certificate'

    module_function

    # @param cluster [Boolean] whether MariaDB is a member of a Galera cluster
    # @return [String] SQL that loads certificate and key from their files, on this node only
    def reload(cluster:)
      # of these two, MariaDB's own statement tells Galera only if Galera lists the option
      ['FLUSH LOCAL SSL', *("SET GLOBAL wsrep_provider_options = 'socket.ssl_reload=1'" if cluster)].join('; ')
    end

    # @param files [Array<String>] certificate and key
    # @return [Boolean] whether MariaDB has read these files since they were written
    def loaded?(files)
      FileUtils.uptodate?(LOADED, files) || !OpenstackCommon::Systemd.show('mariadb').older_than?(files)
    end
  end
end
