# frozen_string_literal: true

module OpenstackCompute
  # Cell mappings: rows of nova_api that say where each cell's database and queue are.
  module Cell
    module_function

    # Nova fills such a template from its own nova.conf. So no password lies in nova_api or stands
    # in nova-manage's arguments, and a changed password changes no mapping.
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
