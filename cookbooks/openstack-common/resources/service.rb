# frozen_string_literal: true

provides :openstack_service
unified_mode true

description 'Enables and starts a systemd unit, and restarts it if a configuration file has changed since it started. Saves its ports and its log files in the node object, and lets only nodes of the cloud connect to its internal ports.'

property :unit, String, name_property: true
property :ports, Array, default: [], description: 'TCP ports at which it listens once it works'
property :internal_ports, Array, default: [], description: 'TCP ports, and ranges such as 5900-5999, to which only nodes of the cloud may connect'
property :log, [String, Array], coerce: proc { |files| Array(files) }, default: [],
                                description: 'Its log files, read by stackcook verify; the one that says most comes last and is named in errors'
property :config, [String, Array], coerce: proc { |files| Array(files) }, default: [], description: 'Files that it reads at its start, besides /etc/default/UNIT'
property :reload, [true, false], default: false, description: 'Reload it instead, which does not interrupt its work'
property :wait, [true, false], default: false,
                               description: 'Wait until it listens. Otherwise all services start in parallel, and the run waits for them at its end'

def after_created
  internal_ca if openstack_tls_all?
  node.default['openstack']['services'][unit] = { 'ports' => ports, 'internal_ports' => internal_ports, 'log' => log }
  # before the first service, for those of the whole run
  find_resource(:openstack_firewall, 'internal services') do
    ports lazy { openstack_internal_ports }
    sources lazy { openstack_firewall_sources }
    action openstack_firewall_action
  end
end

# for clients of other services, before the first service
def internal_ca
  find_resource(:directory, ::File.dirname(OpenstackCommon::Tls::CA)) { mode '0755' }
  find_resource(:file, OpenstackCommon::Tls::CA) do
    content lazy { openstack_internal_certificate['ca'] }
    mode '0644'
  end
end

action :start do
  change unless in_order?(states_at('start')[new_resource.unit])
  new_resource.wait ? action_wait : new_resource.delayed_action(:wait)
end

action :restart do
  converge_by("restart #{new_resource.unit}") { systemctl('restart') }
  action_wait if new_resource.wait
end

action :wait do
  # One deadline for all services that start in parallel: a failed run must not wait for each in turn. A wait within another resource comes
  # long before the end of the run; so it begins anew with each start.
  deadline = new_resource.wait ? deadline_from_now : node.run_state[:openstack_wait_deadline] ||= deadline_from_now
  until whyrun_mode? || ready?
    raise "#{new_resource.unit}: #{complaint}; see #{new_resource.log.last || "journalctl -u #{new_resource.unit}"}" if now > deadline

    sleep 0.2
  end
end

action_class do
  # One command for all services instead of one for each: a process costs Chef a tenth of a second on a busy node. What is
  # not in order is looked at again, by itself.
  # @param moment [String] when the states are of: 'start', the first service's, or 'end', of the run
  # @return [Hash{String => OpenstackCommon::Systemd}]
  def states_at(moment)
    node.run_state["openstack_states_at_#{moment}"] ||= OpenstackCommon::Systemd.show_all(node['openstack']['services'].keys)
  end

  def in_order?(state)
    state && state.known? && state.enabled? && state.running? && !outdated?(state)
  end

  def outdated?(state)
    state.older_than?([*new_resource.config, "/etc/default/#{new_resource.unit}"], reload: new_resource.reload)
  end

  def change
    state = OpenstackCommon::Systemd.show(new_resource.unit)
    raise "#{new_resource.unit}: unit not found; check that its package is installed" unless state.known?

    converge_by("enable #{new_resource.unit}") { systemctl('enable') } unless state.enabled?
    if !state.running?
      converge_by("start #{new_resource.unit}") { systemctl('start') }
    elsif outdated?(state)
      verb = new_resource.reload ? 'reload' : 'restart'
      converge_by("#{verb} #{new_resource.unit}: its configuration has changed since its start") { systemctl(verb) }
    end
  end

  # --no-block: a unit of Type=notify may wait for another one that starts only later in the run
  def systemctl(verb)
    argv = verb == 'enable' ? %w(systemctl enable --quiet) : ['systemctl', verb, '--no-block']
    shell_out!(*argv, new_resource.unit)
    node.run_state.delete('openstack_states_at_end')
    node.run_state.delete(:openstack_wait_deadline)
  end

  def ready?
    @state = (states_at('end').delete(new_resource.unit) unless new_resource.wait) || OpenstackCommon::Systemd.show(new_resource.unit)
    @silent = new_resource.ports - OpenstackCommon::Systemd.listening
    @state.active? && @silent.empty?
  end

  def complaint
    return "is not running (#{@state.reason})" unless @state.active?

    "does not listen on port #{@silent.join(', ')}"
  end

  def deadline_from_now
    now + node['openstack']['start_timeout']
  end

  def now
    Process.clock_gettime(Process::CLOCK_MONOTONIC)
  end
end
