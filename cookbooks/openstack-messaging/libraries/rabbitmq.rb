# frozen_string_literal: true

require 'mixlib/shellout'

module OpenstackMessaging
  # Manages the users of a running RabbitMQ with erl_call, by calling the functions that rabbitmqctl
  # calls. rabbitmqctl itself takes seconds to start, and hangs if it has to read a password and stdin is
  # not a terminal. Passwords are passed on stdin.
  class Rabbitmq
    USER = { user: 'rabbitmq', group: 'rabbitmq', environment: { 'HOME' => '/var/lib/rabbitmq' } }.freeze

    EVERYTHING = '<<"/">>, <<".*">>, <<".*">>, <<".*">>'
    ON_BEHALF_OF = '<<"chef">>'

    # @param node [String] the name of RabbitMQ's Erlang node, such as rabbit@localhost
    def initialize(node)
      @node = node
    end

    # @return [Boolean] whether there is a user of that name
    def user?(name)
      ask("rabbit_auth_backend_internal:exists(#{binary(name)})") == 'true'
    end

    # @return [Boolean] whether the user can log in with this password
    def password?(name, password)
      ask("element(1, rabbit_access_control:check_user_pass_login(#{binary(name)}, #{binary(password)}))") == 'ok'
    end

    # @return [Boolean] whether the user may configure, write and read everything
    def permitted?(name)
      ask('[list_to_tuple([proplists:get_value(K, P) || K <- [vhost, configure, write, read]]) || ' \
          "P <- rabbit_auth_backend_internal:list_user_permissions(#{binary(name)})] =:= [{#{EVERYTHING}}]") == 'true'
    end

    def create(name, password)
      tell('add_user', binary(name), binary(password))
    end

    def change_password(name, password)
      tell('change_password', binary(name), binary(password))
    end

    def permit(name)
      tell('set_permissions', binary(name), EVERYTHING)
    end

    def delete(name)
      tell('delete_user', binary(name))
    end

    private

    # @raise [RuntimeError] RabbitMQ rejected the call
    def tell(function, *arguments)
      answer = ask("rabbit_auth_backend_internal:#{function}(#{[*arguments, ON_BEHALF_OF].join(', ')})")
      raise "RabbitMQ #{@node}: #{function} was refused: #{answer}" unless answer == 'ok'
    end

    # @return [String] the value of an Erlang expression, as text
    def ask(expression)
      ran = Mixlib::ShellOut.new(['erl_call', '-sname', @node, '-e'], input: "#{expression}.\n", timeout: 30, **USER).run_command
      # does not show the expression or its value: they may contain a password
      ran.stdout[/\A\{ok, (.*)\}\s*\z/m, 1] || raise("RabbitMQ #{@node}: no response to erl_call (exit status #{ran.exitstatus}); check that rabbitmq-server is running")
    end

    # Writes the bytes as numbers, so that no character needs escaping.
    def binary(text)
      "<<#{text.bytes.join(',')}>>"
    end
  end
end
