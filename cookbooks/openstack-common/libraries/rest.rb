# frozen_string_literal: true

require 'json'
require 'net/http'

module OpenstackCommon
  # A client of one service's REST API. Bodies are hashes and arrays as in the API's JSON.
  #
  # A service may be starting: while it does not respond, requests that are safe to repeat are retried.
  class Rest
    # A service rejected a request, or did not respond. status: the HTTP status; nil if there was no response.
    class Error < RuntimeError
      attr_reader :status

      def initialize(message, status = nil)
        super(message)
        @status = status
      end
    end

    # @param name [String] the service in messages, such as Keystone
    # @param url [String] what all paths begin with, such as http://10.0.112.10:5000/v3
    # @param timeout [Integer] seconds within which the service must respond
    # @param ca_file [String, nil] the CA certificates that the service's has to be signed by; nil: those of the system
    # @param headers [Hash] sent with each request, such as the microversion
    # @yieldparam renew [Boolean] whether the token of before was rejected
    # @yieldreturn [String] a token. Without a block, requests have none
    def initialize(name:, url:, timeout: 120, ca_file: nil, headers: {}, &token)
      @name = name
      @uri = URI(url)
      @timeout = timeout
      @ca_file = ca_file
      @headers = headers
      @token = token
      @lists = {}
    end

    # @param path [String] such as /users; with a query if needed
    # @return [Hash] the body of the response; empty if there is none
    def get(path)
      parsed(request(:Get, path))
    end

    def post(path, body)
      changing { parsed(request(:Post, path, body)) }
    end

    def put(path, body = nil)
      changing { parsed(request(:Put, path, body)) }
    end

    # @param type [String] the Content-Type; Glance has one of its own
    def patch(path, body, type: 'application/json')
      changing { parsed(request(:Patch, path, body, 'Content-Type' => type)) }
    end

    def delete(path)
      changing { request(:Delete, path) }
    end

    # Sends a file as the body.
    def upload(path, file)
      changing do
        request(:Put, path, nil, 'Content-Type' => 'application/octet-stream', 'Content-Length' => File.size(file).to_s) do |http_request|
          http_request.body_stream = File.open(file, 'rb')
        end
      end
    end

    # All pages of a list. Asks only once until this client changes something.
    #
    # @param path [String] such as /v2.0/networks
    # @param key [String] where the objects are in the response
    # @return [Array<Hash>]
    def list(path, key = path[%r{[^/?]+(?=\?|\z)}])
      @lists[path] ||= pages(path, key)
    end

    # @return [Net::HTTPResponse]
    # @raise [Error]
    def request(verb, path, body = nil, headers = {}, &prepare)
      answer = answer(verb, path, body, headers.merge(token(false)), &prepare)
      answer = answer(verb, path, body, headers.merge(token(true)), &prepare) if answer.code == '401' && @token
      raise Error.new(refusal(verb, path, answer), answer.code.to_i) unless answer.is_a?(Net::HTTPSuccess)

      answer
    end

    private

    def pages(path, key)
      found = []
      while path
        body = get(path)
        found.concat(body.fetch(key))
        path = following(body, key)
      end
      found
    end

    # The path of the next page: each service says it in its own way.
    def following(body, key)
      links = body["#{key}_links"] || []
      link = body['next'] || body.dig('links', 'next') || links.find { |each| each['rel'] == 'next' }&.fetch('href')
      return unless link

      uri = URI(link)
      [uri.path.delete_prefix(@uri.path.chomp('/')), uri.query].compact.join('?')
    end

    def changing
      yield
    ensure
      @lists.clear
    end

    def token(renew)
      @token ? { 'X-Auth-Token' => @token.call(renew) } : {}
    end

    def parsed(response)
      response.body.to_s.empty? ? {} : JSON.parse(response.body)
    end

    # Retries until the deadline what failed because the service is not up.
    def answer(verb, path, body, headers, &prepare)
      deadline = monotonic + @timeout
      begin
        response = send_once(verb, path, body, headers, &prepare)
        raise Error.new(refusal(verb, path, response), response.code.to_i) if response.is_a?(Net::HTTPServerError)

        response
      rescue Error, SystemCallError, IOError, OpenSSL::SSL::SSLError, Net::OpenTimeout, Net::ReadTimeout => e
        raise if e.is_a?(Error) && (monotonic > deadline || !repeatable?(verb, path, e))
        raise Error, silent(e) if monotonic > deadline || !repeatable?(verb, path, e)

        sleep 0.5
        retry
      end
    end

    # A repeated POST might create a second object, unless the first one cannot have reached the service.
    def repeatable?(verb, path, error)
      return false if untrusted?(error)
      return true if verb != :Post || path == '/auth/tokens'

      error.is_a?(Errno::ECONNREFUSED) || error.is_a?(Net::OpenTimeout) || (error.is_a?(Error) && error.status == 503)
    end

    def silent(error)
      return "#{@name} at #{@uri}: #{error.message}; the CA certificates are in #{@ca_file || "this system's files"}" if untrusted?(error)

      "#{@name} at #{@uri} does not respond (#{error.message}); check that #{@name} is running there"
    end

    def untrusted?(error)
      error.is_a?(OpenSSL::SSL::SSLError) && error.message.include?('certificate verify failed')
    end

    def send_once(verb, path, body, headers)
      http_request = Net::HTTP.const_get(verb).new("#{@uri.path.chomp('/')}#{path}", { 'Content-Type' => 'application/json', **@headers, **headers })
      http_request.body = JSON.generate(body) if body
      yield http_request if block_given?
      Net::HTTP.start(@uri.host, @uri.port, use_ssl: @uri.scheme == 'https', ca_file: @ca_file, open_timeout: 5, read_timeout: 60) do |http|
        http.request(http_request)
      end
    ensure
      http_request&.body_stream&.close
    end

    def refusal(verb, path, response)
      "#{@name} at #{@uri}: #{verb.to_s.upcase} #{path}: #{response.code} #{cause(response)}"
    end

    # Each service has its own form: {"error": {"message": …}}, {"badRequest": {"message": …}},
    # {"NeutronError": {"message": …}}, and text or HTML in Glance.
    def cause(response)
      JSON.parse(response.body).each_value.filter_map { |part| part['message'] if part.is_a?(Hash) }.first || response.message
    rescue JSON::ParserError, TypeError, NoMethodError
      response.body.to_s.gsub(/<[^>]*>/, ' ').split.join(' ')[0, 300].then { |text| text.empty? ? response.message : text }
    end

    def monotonic
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end
  end
end
