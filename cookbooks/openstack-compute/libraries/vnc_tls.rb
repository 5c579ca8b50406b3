# frozen_string_literal: true

module OpenstackCompute
  # The lines of libvirt's qemu.conf that let the consoles of instances use TLS.
  module VncTls
    # the only one that AppArmor's profile of instances lets them read
    DIRECTORY = '/etc/pki/libvirt-vnc'
    BLOCK = <<~CONF.freeze
      # Chef (openstack-compute) writes these lines:
      vnc_tls = 1
      vnc_tls_x509_cert_dir = "#{DIRECTORY}"
      vnc_tls_x509_verify = 1
    CONF

    module_function

    # @param path [String] qemu.conf
    # @return [Boolean] whether there is something to write: instances use TLS, or have used it
    def concerns?(path, tls)
      tls || (File.exist?(path) && File.read(path).include?(BLOCK))
    end

    # @param qemu_conf [String] the content of qemu.conf
    # @return [String] the same with TLS or without it, and other lines unchanged
    def set(qemu_conf, tls)
      rest = qemu_conf.sub(BLOCK, '')
      tls ? "#{rest.chomp}\n#{BLOCK}" : rest
    end
  end
end
