# frozen_string_literal: true

module OpenstackCompute
  # Cell mappings: rows in the database nova_api with the database and RabbitMQ of each cell.
  module Cell
    module_function

    # Makes a template from a URL. Nova replaces the placeholders with the values in its nova.conf. So
    # neither the database nor the arguments of nova-manage contain a password, and the mapping stays
    # the same when a password changes.
    #
    # @param url [String] a transport_url or database connection, with one or more hosts
    # @param path [String] what follows the hosts
    # @return [String] for example `{scheme}://{username}:{password}@{hostname}/{path}`
    def template(url, path: '{path}')
      hosts = url[%r{\A[^:]+://([^/?]*)}, 1].split(',')
      authorities = hosts.each_with_index.map do |host, index|
        n = hosts.one? ? '' : index + 1
        port = host.match?(/:\d+\z/) ? ":{port#{n}}" : ''
        "{username#{n}}:{password#{n}}@{hostname#{n}}#{port}"
      end
      "{scheme}://#{authorities.join(',')}/#{path}#{'?{query}' if url.include?('?')}"
    end
  end
end
