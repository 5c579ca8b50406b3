# frozen_string_literal: true

module OpenstackCommon
  # Which connections are encrypted, and where certificates are.
  module Tls
    DIRECTORY = '/etc/openstack/tls'
    # the CA certificates that clients of internal services need
    CA = '/etc/openstack/internal-ca.pem'

    # @return [Boolean] whether public endpoints are reached over TLS
    def openstack_tls?
      %w(public all).include?(node.dig('openstack', 'tls', 'mode'))
    end

    # @return [Boolean] whether internal connections are encrypted, too: APIs, database, queue, OVN
    def openstack_tls_all?
      node.dig('openstack', 'tls', 'mode') == 'all'
    end

    # @return [String, nil] the file with the CA certificates that clients of internal services need; nil if these have no TLS
    def openstack_internal_ca
      CA if openstack_tls_all?
    end

    # @return [Hash{String => String}] this node's certificate for internal services, its key and its CA, as PEM. It is valid for the
    #   node's name and address, the virtual address, 127.0.0.1 and localhost
    # @raise [RuntimeError] there is none
    def openstack_internal_certificate
      openstack_certificate_of('internal_certificates')
    end

    # @return [Hash{String => String}] this node's certificate for public endpoints, its key, and the CA certificates that clients need, as PEM
    # @raise [RuntimeError] there is none
    def openstack_certificate
      openstack_certificate_of('certificates')
    end

    # @param daemon [String] the name of an openstack_tls_files
    # @return [Hash{Symbol => String}] its files: certificate, key and ca
    def openstack_tls_paths(daemon)
      OpenstackCommon::Tls.paths(daemon)
    end

    def self.paths(daemon)
      { certificate: "#{DIRECTORY}/#{daemon}/certificate.pem", key: "#{DIRECTORY}/#{daemon}/key.pem", ca: CA }
    end

    private

    def openstack_certificate_of(bag)
      item = data_bag_item(bag, node.name)
      %w(certificate key ca).to_h { |field| [field, item[field].to_s] }
    rescue Net::HTTPClientException, Chef::Exceptions::InvalidDataBagPath => e
      raise "data bag #{bag} has no item #{node.name} that this node can read (#{e.message}); create it, or set `tls` in stackcook's manifest"
    end
  end
end
